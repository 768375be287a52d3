//! What is stored for devices: every keyspace of this crate and the rows in them.
//!
//! Owns: the declarations, and nothing that reads or writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plop_accounts::schema::{AccountEnd, AccountEnds, DeviceEnd, DeviceEnds};
use plop_base::UnixMillis;
use plop_db::codec::Tail;
use plop_db::{Counter, Position, record, tags};
use ruma::{OwnedDeviceId, OwnedUserId};

/// Whose messages: the user, the device, and when the device was made (`since` in its row), which tells it from an earlier device of
/// that id.
pub type Inbox = (OwnedUserId, OwnedDeviceId, Position);

/// A device and its time, as in [`Inbox`], an algorithm and the identifier of a key.
pub type OneTimeKeyId = (OwnedUserId, OwnedDeviceId, Position, String, String);

/// The user, the device, the type, the transaction id.
pub type Transaction = (OwnedUserId, Option<OwnedDeviceId>, String, String);

plop_db::keyspaces! {
    pub const KEYSPACES;

    /// Messages that wait for a device, in the order of their arrival: the fields of [`Inbox`] and the message's own position. Written by
    /// sending; read by the device's sync; deleted when a sync token that covers them comes back, when there are too many, and by the
    /// sweep some minutes after the device ended. Redactions do not touch it. What is here is counted in `to_device_bytes`.
    pub ToDeviceMessages = 140 "to_device_messages" Queue
        { (OwnedUserId, OwnedDeviceId, Position, Position) => ToDeviceRow } stream (OwnedUserId, OwnedDeviceId)

    /// How many bytes wait for a device. Written with every message that comes and goes; read by sending and by the sweep, for all devices of a user; deleted with the
    /// messages when the device ended. Redactions do not touch it.
    pub ToDeviceBytes = 141 "to_device_bytes" Counter { Inbox => Counter }

    /// Which requests to send messages have been done: the sender, its device (none for who acts without one), the type of the
    /// messages, the transaction id. Written with the messages; read when a request comes; deleted by the sweep after
    /// [`TRANSACTION_LIFETIME`](plop_rooms::schema::TRANSACTION_LIFETIME). Redactions do not touch it. The row of a device that is gone
    /// stays as long, and says nothing to a later device of that id.
    pub ToDeviceTransactions = 142 "to_device_transactions" Point { Transaction => ToDeviceTransactionRow }

    /// When which of these requests was done: the time, then its fields. Written and deleted with its row; read by the sweep. Redactions do not touch it.
    pub ToDeviceTransactionTimes = 143 "to_device_transaction_times" Queue
        { (UnixMillis, OwnedUserId, Option<OwnedDeviceId>, String, String) => () }

    /// Inboxes that hold so much, or whose user's inboxes hold so much together, that the oldest messages go. Written when a message comes
    /// that an inbox takes, or does not take, while it is so; read by the sweep, and deleted when that is done. Redactions do not touch it.
    pub FullInboxes = 144 "full_inboxes" Queue { Inbox => () }

    /// The identity keys of a device. Written by uploads; read by queries and whoever checks signatures; deleted by the sweep some minutes after the
    /// device ended. Redactions do not touch it. While the device is there, it is in `listed_devices`.
    pub DeviceKeys = 148 "device_keys" Scan { Inbox => DeviceKeysRow }

    /// The one-time keys that can be claimed, in the order of their uploads: a device and its time, the algorithm, the position of the upload, the
    /// key's identifier. Written by uploads; read by both; deleted by the claim, with the identity key that signed them, and by the sweep some minutes after
    /// the device ended. Redactions do not touch it. As many as `key_counts` says.
    pub OneTimeKeys = 139 "unclaimed_keys" Queue
        { (OwnedUserId, OwnedDeviceId, Position, String, Position, String) => OneTimeKeyRow }

    /// Of the last one-time keys that were claimed what tells a repeated upload from a new key. Written by claims; read by uploads; deleted when too many
    /// others have been claimed since, when another key of that name is uploaded, and like `unclaimed_keys`. Redactions do not touch it.
    pub ClaimedKeys = 168 "claimed_key_hashes" Scan { OneTimeKeyId => ClaimedKeyRow }

    /// The same keys in the order of their claims: a device and its time, the position, the algorithm, the key's identifier. Written and deleted with
    /// `claimed_key_hashes`; read by claims. Redactions do not touch it.
    pub ClaimedKeyOrder = 151 "claimed_keys" Queue
        { (OwnedUserId, OwnedDeviceId, Position, Position, String, String) => () }

    /// The fallback keys of a device, one for each algorithm. Written by uploads and claims; read by both; deleted with the identity key that
    /// signed them, and by the sweep some minutes after the device ended. Redactions do not touch it.
    pub FallbackKeys = 152 "fallback_keys" Scan { (OwnedUserId, OwnedDeviceId, Position, String) => FallbackKeyRow }

    /// How many one-time keys a device has left, and what else it needs to know of them. Written with every change of them, each of which expects the
    /// one before; read by the device's sync; deleted by the sweep some minutes after the device ended. Redactions do not touch it.
    pub KeyCounts = 153 "key_counts" Point { Inbox => KeyCountsRow } stream (OwnedUserId, OwnedDeviceId)

    /// The cross-signing keys of a user. Written by uploads; read by queries and whoever checks signatures; deleted by the sweep of accounts
    /// that ended. Redactions do not touch it. Without a master key there are no others.
    pub CrossSigningKeys = 154 "cross_signing_keys" Point { (OwnedUserId, KeyUsage) => CrossSigningKeyRow }

    /// Signatures of devices on the master key of their user. Written by uploads; read by queries; deleted like `device_keys`. Redactions do not touch
    /// it. One on a master key that was replaced stays, and is shown to nobody.
    pub MasterKeySignatures = 155 "master_key_signatures" Scan { Inbox => MasterKeySignatureRow }

    /// Signatures of users on the master keys of others: who signed, whose key. Written by uploads; read by queries of who signed; deleted like
    /// `cross_signing_keys`. Redactions do not touch it. One with or on a key that was replaced stays, and is shown to nobody.
    pub UserSignatures = 156 "user_signatures" Scan { (OwnedUserId, OwnedUserId) => UserSignatureRow }

    /// Whose keys look different to a user, and to nobody else, because the user signed them: one row for each, moved to its newest position. Written
    /// and deleted with `user_signatures`; read by sync. Redactions do not touch it.
    pub SignatureChanges = 157 "signature_changes" Scan { (OwnedUserId, Position) => OwnedUserId } stream OwnedUserId

    /// The last device that ended whose inbox is gone. Written and read by the sweep of messages.
    pub InboxesDeleted = 158 "inboxes_deleted" Point { () => DeviceEnd } cursor of DeviceEnds

    /// The last device that ended whose keys are gone. Written and read by the sweep of keys.
    pub DeviceKeysDeleted = 159 "device_keys_deleted" Point { () => DeviceEnd } cursor of DeviceEnds

    /// The last account that ended whose keys are gone. Written and read by the sweep of keys.
    pub UserKeysDeleted = 166 "user_keys_deleted" Point { () => AccountEnd } cursor of AccountEnds
}

record! {
    /// A message that waits.
    pub struct ToDeviceRow = 1 {
        /// As clients get it: a JSON object of `type`, `sender` and `content`.
        pub event: Tail<Arc<str>>,
    }
}

record! {
    /// A request that has been done.
    pub struct ToDeviceTransactionRow = 1 {
        pub at: UnixMillis,
        /// Where it was committed: above `since` of the device that asked.
        pub position: Position,
    }
}

tags! {
    /// What a cross-signing key signs.
    pub enum KeyUsage {
        /// The two others.
        Master = 1,
        /// The user's devices.
        SelfSigning = 2,
        /// Master keys of other users.
        UserSigning = 3,
    }
}

record! {
    /// The identity keys of a device.
    pub struct DeviceKeysRow = 1 {
        /// The ed25519 key, in base64.
        pub signing_key: String,
        /// By that key. Clients believe no keys without.
        pub signature: Option<String>,
        /// By the user's self-signing key, when that was the one that is named.
        pub self_signature: Option<SignatureRow>,
        /// As canonical JSON, without `signatures` and `unsigned`: what is signed.
        pub keys: Tail<Arc<str>>,
    }
}

record! {
    /// A signature, and the key that made it, in base64.
    pub struct SignatureRow = 1 {
        pub key: String,
        pub signature: String,
    }
}

record! {
    /// A one-time key.
    pub struct OneTimeKeyRow = 1 {
        /// Canonical JSON.
        pub key: Tail<Arc<str>>,
    }
}

record! {
    /// A one-time key that was claimed.
    pub struct ClaimedKeyRow = 1 {
        /// When that was.
        pub position: Position,
        /// A hash of its JSON.
        pub hash: [u8; 16],
    }
}

record! {
    /// A fallback key.
    pub struct FallbackKeyRow = 1 {
        pub id: String,
        /// It has been handed out.
        pub is_used: bool,
        /// Canonical JSON.
        pub key: Tail<Arc<str>>,
    }
}

record! {
    /// What a device is told of its keys.
    pub struct KeyCountsRow = 1 {
        /// When that changed last.
        pub position: Position,
        /// One-time keys that can be claimed, by algorithm.
        pub one_time: BTreeMap<String, u64>,
        /// Algorithms of fallback keys that have not been handed out.
        pub unused_fallback: BTreeSet<String>,
        /// Keys that were claimed and of which something is kept.
        pub claimed: u64,
    }
}

record! {
    /// A cross-signing key.
    pub struct CrossSigningKeyRow = 1 {
        /// The ed25519 key, in base64.
        pub public: String,
        /// By the master key; none on the master key itself.
        pub signature: Option<SignatureRow>,
        /// As canonical JSON, without `signatures` and `unsigned`: what is signed.
        pub key: Tail<Arc<str>>,
    }
}

record! {
    /// The signature of a device on a master key.
    pub struct MasterKeySignatureRow = 1 {
        /// The master key, in base64.
        pub master: String,
        pub signature: String,
    }
}

record! {
    /// The signature of a user on a master key.
    pub struct UserSignatureRow = 1 {
        /// Its place in `signature_changes`.
        pub position: Position,
        /// The master key, in base64.
        pub master: String,
        pub by: SignatureRow,
    }
}
