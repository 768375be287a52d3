//! What is on disks already.

use std::sync::Arc;

use plop_base::UnixMillis;
use plop_db::codec::Tail;
use plop_db::{Batch, Counter, Position};
use plop_e2ee::schema::{
    ClaimedKeyOrder, ClaimedKeyRow, ClaimedKeys, CrossSigningKeyRow, CrossSigningKeys, DeviceKeys,
    DeviceKeysDeleted, DeviceKeysRow, FallbackKeyRow, FallbackKeys, FullInboxes, Inbox, InboxesDeleted,
    KEYSPACES, KeyCounts, KeyCountsRow, KeyUsage, MasterKeySignatureRow, MasterKeySignatures, OneTimeKeyRow,
    OneTimeKeys, SignatureChanges, SignatureRow, ToDeviceBytes, ToDeviceMessages, ToDeviceRow,
    ToDeviceTransactionRow, ToDeviceTransactionTimes, ToDeviceTransactions, UserKeysDeleted,
    UserSignatureRow, UserSignatures,
};
use ruma::{owned_device_id, owned_user_id};

/// What is on disks already. A difference here is a difference there.
#[test]
fn stored_rows_keep_their_bytes() {
    let mut rows = Batch::durable();
    put_messages(&mut rows);
    put_device_keys(&mut rows);
    put_user_keys(&mut rows);
    put_cursors(&mut rows);
    insta::assert_snapshot!(plop_db::golden_rows(KEYSPACES, &rows).expect("a row of each keyspace"));
}

fn inbox() -> Inbox {
    (owned_user_id!("@a:b.c"), owned_device_id!("D"), position())
}

fn position() -> Position {
    Position::from_bytes([0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3])
}

fn by(key: &str) -> SignatureRow {
    SignatureRow { key: key.to_owned(), signature: "sig".to_owned() }
}

fn put_device_keys(rows: &mut Batch) {
    let (user, device, since) = inbox();
    let algorithm = || "signed_curve25519".to_owned();
    let keys = DeviceKeysRow {
        signing_key: "key".to_owned(),
        signature: Some("sig".to_owned()),
        self_signature: Some(by("ssk")),
        keys: Tail(Arc::from("{}")),
    };
    rows.put::<DeviceKeys>(&inbox(), &keys);
    let (position, id) = (position(), || "AAA".to_owned());
    let row = OneTimeKeyRow { key: Tail(Arc::from(r#"{"key":"k"}"#)) };
    rows.put::<OneTimeKeys>(&(user.clone(), device.clone(), since, algorithm(), position, id()), &row);
    let claimed = ClaimedKeyRow { position, hash: [7; 16] };
    rows.put::<ClaimedKeys>(&(user.clone(), device.clone(), since, algorithm(), id()), &claimed);
    rows.put::<ClaimedKeyOrder>(&(user.clone(), device.clone(), since, position, algorithm(), id()), &());
    let fallback = FallbackKeyRow { id: id(), is_used: true, key: Tail(Arc::from("{}")) };
    rows.put::<FallbackKeys>(&(user, device, since, algorithm()), &fallback);
    let counts = KeyCountsRow {
        position,
        one_time: [(algorithm(), 50)].into(),
        unused_fallback: [algorithm()].into(),
        claimed: 3,
    };
    rows.put::<KeyCounts>(&inbox(), &counts);
}

fn put_user_keys(rows: &mut Batch) {
    let (user, other) = (owned_user_id!("@a:b.c"), owned_user_id!("@z:b.c"));
    for (usage, signature) in
        [(KeyUsage::Master, None), (KeyUsage::SelfSigning, Some(by("msk"))), (KeyUsage::UserSigning, None)]
    {
        let key = Tail(Arc::from("{}"));
        let row = CrossSigningKeyRow { public: "key".to_owned(), signature, key };
        rows.put::<CrossSigningKeys>(&(user.clone(), usage), &row);
    }
    let signature = MasterKeySignatureRow { master: "msk".to_owned(), signature: "sig".to_owned() };
    rows.put::<MasterKeySignatures>(&inbox(), &signature);
    let (position, master) = (position(), "msk".to_owned());
    let row = UserSignatureRow { position, master, by: by("usk") };
    rows.put::<UserSignatures>(&(user.clone(), other.clone()), &row);
    rows.put::<SignatureChanges>(&(user, position), &other);
}

fn put_cursors(rows: &mut Batch) {
    let (user, device, since) = inbox();
    rows.read_to::<InboxesDeleted>(&(position(), user.clone(), device.clone(), since));
    rows.read_to::<DeviceKeysDeleted>(&(position(), user.clone(), device, since));
    rows.read_to::<UserKeysDeleted>(&(position(), user));
}

fn put_messages(rows: &mut Batch) {
    let (user, device, since) = inbox();
    let event = Tail(Arc::from(r#"{"type":"t"}"#));
    rows.put::<ToDeviceMessages>(&(user.clone(), device.clone(), since, since), &ToDeviceRow { event });
    rows.put::<ToDeviceBytes>(&(user.clone(), device.clone(), since), &Counter(300));
    rows.put::<FullInboxes>(&(user.clone(), device.clone(), since), &());
    let now = UnixMillis(1_700_000_000_000);
    let done = ToDeviceTransactionRow { at: now, position: since };
    for device in [Some(device), None] {
        let key = (user.clone(), device, "m.room_key".to_owned(), "1".to_owned());
        rows.put::<ToDeviceTransactions>(&key, &done);
        rows.put::<ToDeviceTransactionTimes>(&(now, key.0, key.1, key.2, key.3), &());
    }
}
