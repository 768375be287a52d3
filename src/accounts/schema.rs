//! What accounts store: every keyspace of this crate and the rows in them.
//!
//! Owns: the declarations, and nothing that reads or writes them.

use plop_base::UnixMillis;
use plop_db::codec::Tail;
use plop_db::{Position, record, tags};
use ruma::{OwnedDeviceId, OwnedEventId, OwnedRoomId, OwnedUserId};

use crate::email_address::EmailAddress;
use crate::secrets::SecretHash;

/// The end of a device: when it was, the user, the device, when it was made.
pub type DeviceEnd = (Position, OwnedUserId, OwnedDeviceId, Position);

/// The end of an account: when it was, the user.
pub type AccountEnd = (Position, OwnedUserId);

plop_db::keyspaces! {
    pub const KEYSPACES;

    /// The profile of a local user, one row for each field, as JSON text. Written by profile operations; read by profile requests and
    /// by rooms for member events; deleted with the account. Redactions do not touch it. A field that is not set has no row.
    pub Profiles = 60 "profiles" Scan { (OwnedUserId, String) => Tail<String> }

    /// The users of this server. Written at registration, by password changes, moderation and deactivation; read at login and when a
    /// session is loaded. Never deleted, so that a name is never given out twice. Redactions do not touch it.
    pub Users = 61 "users" Point { OwnedUserId => UserRow }

    /// The devices of a user. Written at login, by renaming and when new tokens of a device are first used; read by device
    /// requests and when a session is loaded; deleted by logout, by a login when there are too many, and with the account. Redactions do not
    /// touch it.
    pub Devices = 62 "devices" Scan { (OwnedUserId, OwnedDeviceId) => DeviceRow }

    /// Where and when a device was last seen. Written relaxed, seldom, while the access token is valid; read by device requests and at
    /// login; deleted with the device. Redactions do not touch it. No row is without its device.
    pub LastSeen = 63 "device_last_seen" Scan { (OwnedUserId, OwnedDeviceId) => LastSeenRow }

    /// Access tokens by their hash. Written at login and refresh; read when a session is loaded; deleted by logout, when a
    /// newer one is used, and with the account. Redactions do not touch it. The device of a row exists.
    pub AccessTokens = 64 "access_tokens" Point { SecretHash => AccessTokenRow }

    /// Refresh tokens by their hash. Written at login and refresh; read by refresh; deleted like access tokens, but kept for some
    /// generations after they were used, so that a second use is recognised. Redactions do not touch it.
    pub RefreshTokens = 65 "refresh_tokens" Point { SecretHash => RefreshTokenRow }

    /// The tokens of a device: the reverse of `access_tokens` and `refresh_tokens`, written and deleted together with them.
    pub DeviceTokens = 66 "device_tokens" Scan { (OwnedUserId, OwnedDeviceId, SecretHash) => DeviceTokenRow }

    /// Tokens that allow to register. Written by administrators, at the first start, and by each registration that uses one up; read by
    /// registration; deleted by administrators. Redactions do not touch it.
    pub RegistrationTokens = 67 "registration_tokens" Point { String => RegistrationTokenRow }

    /// Account data: what clients keep for a user, as a whole (no room) or in a room. Written by account data, tag and read
    /// marker operations; read by sync and by account data requests; deleted with the account. Redactions do not touch it. The row
    /// names its place in `account_data_changes`.
    pub AccountData = 68 "account_data" Scan { (OwnedUserId, Option<OwnedRoomId>, String) => AccountDataRow }

    /// When which account data changed: one row for each subject, moved to its newest position. Written and deleted with `account_data`; read
    /// by sync. Redactions do not touch it.
    pub AccountDataChanges = 69 "account_data_changes" Scan
        { (OwnedUserId, Position) => (Option<OwnedRoomId>, String) } stream OwnedUserId

    /// Filters, as JSON text, under an identifier made of their content. Written once; read by sync and history requests; deleted with the
    /// account. Redactions do not touch it.
    pub Filters = 70 "filters" Scan { (OwnedUserId, String) => Tail<String> }

    /// Users whose rooms do not show yet what has become of them: another name or picture, or the end of the account. Written with that
    /// change, in its batch; read by the upkeep of rooms, and deleted when that is done, unless there was another change meanwhile: the value is
    /// the place of the last one. Redactions do not touch it.
    pub MemberUpdates = 71 "member_updates" Queue { OwnedUserId => Position } stream ()

    /// How much account data a user has. Written with `account_data`, and read then; deleted with the account. Redactions do not touch it.
    pub AccountDataTotals = 72 "account_data_totals" Point { OwnedUserId => AccountDataTotalsRow }

    /// The ends of devices, and when that was. Written when a device is deleted; read by all who keep something for devices, each with a cursor of its
    /// own; deleted when all of them have read it. Redactions do not touch it.
    pub DeviceEnds = 74 "device_ends" Queue { DeviceEnd => UnixMillis } stream (OwnedUserId, OwnedDeviceId)

    /// The ends of accounts. Written when an account is deactivated; read by all who keep something for users, each with a cursor of its own; deleted when
    /// all of them have read it. Redactions do not touch it.
    pub AccountEnds = 75 "account_ends" Queue { AccountEnd => () } stream OwnedUserId

    /// When whose device list changed last: where the user stands in `device_list_changes`. Written and read with it. Redactions do not touch it.
    /// The row of an account that ended stays: others are told of the end.
    pub DeviceLists = 145 "device_lists" Point { OwnedUserId => Position }

    /// The users whose device lists changed, in the order of the changes: one row for each user, moved to its newest position. Written when
    /// a device with identity keys ends or gets another name, with published keys (e2ee), and with the end of an account that had any; read
    /// by sync. Never deleted. Redactions do not touch it.
    pub DeviceListChanges = 146 "device_list_changes" Scan { (Position, OwnedUserId) => () } stream OwnedUserId

    /// Devices whose identity keys are published, so that others have them on their lists. The value says when the device was made. Written with
    /// the keys (e2ee); read when the device changes; deleted with the device. Redactions do not touch it.
    pub ListedDevices = 147 "listed_devices" Point { (OwnedUserId, OwnedDeviceId) => Position }

    /// The dehydrated device of a user (MSC3814), and what clients keep of it here. Written when one is made; read when one is asked for and when devices
    /// of the user end or log in; deleted with the device. Redactions do not touch it. The device is in `devices`.
    pub DehydratedDevices = 165 "dehydrated_devices" Point { OwnedUserId => DehydratedDeviceRow }

    /// The threads that a user has subscribed to or unsubscribed from, by room and thread root. Written by their endpoints; read by unread counts, sync
    /// and those endpoints; deleted with the account, and when there are too many. A redaction of the root does not touch it. The row names its place in
    /// `thread_subscription_changes`.
    pub ThreadSubscriptions = 190 "thread_subscriptions" Scan
        { (OwnedUserId, OwnedRoomId, OwnedEventId) => ThreadSubscriptionRow }

    /// When which of them changed: one row for each, moved to its newest position. Written and deleted with `thread_subscriptions`; read by sync.
    /// Redactions do not touch it.
    pub ThreadSubscriptionChanges = 191 "thread_subscription_changes" Scan
        { (OwnedUserId, Position) => (OwnedRoomId, OwnedEventId) } stream OwnedUserId

    /// How many of them a user has. Written with `thread_subscriptions`, and read then and by unread counts; deleted with the account. Redactions do not
    /// touch it.
    pub ThreadSubscriptionTotals = 192 "thread_subscription_totals" Point { OwnedUserId => ThreadSubscriptionTotalsRow }

    /// Which version of which document a user accepted: the user, the document. Written at registration; read by who asks for proof; deleted with
    /// the account. Redactions do not touch it.
    pub AcceptedTerms = 193 "accepted_terms" Scan { (OwnedUserId, String) => AcceptedTermsRow }
    /// Users whose entry in the user directory may be another now, of this server and of others. Written with a new account, a new display name, the end
    /// of an account, and with each member event of a user of another server; read by the directory, and deleted when that has followed, unless there
    /// was another change meanwhile: the value is the place of the last one. Redactions do not touch it.
    pub DirectoryUpdates = 220 "directory_updates" Queue { OwnedUserId => Position } stream ()

    /// The e-mail addresses of a user, each proven. Written by registration and by who adds one; read by requests for them; deleted by the user and with
    /// the account. Redactions do not touch it. `email_owners` has the same.
    pub EmailAddresses = 194 "email_addresses" Scan { (OwnedUserId, EmailAddress) => EmailAddressRow }

    /// The accounts of guests, by when they were made or last looked at: the one that was unused for longest is the first. Written with the account; read by
    /// the sweep that ends guests nobody uses, which moves the row to when the guest was last seen, and deletes it with the account, or when that is no
    /// guest's any more. Redactions do not touch it.
    pub Guests = 280 "guests" Queue { (UnixMillis, OwnedUserId) => () }

    /// Whose an e-mail address is: the reverse of `email_addresses`, written and deleted together with it. Read by logins, by password resets and before an
    /// address is given to somebody. Redactions do not touch it.
    pub EmailOwners = 195 "email_owners" Point { EmailAddress => OwnedUserId }

    /// Where a user's devices want to be woken: the user, the app, its push key. Written by `POST /pushers/set`; read by who sends, and by requests for them;
    /// deleted by the user, with the device, with the account, and when another user claims the push key. Redactions do not touch it. The device of a
    /// row exists. `pusher_owners` has the same.
    pub Pushers = 196 "pushers" Scan { (OwnedUserId, String, String) => PusherRow }

    /// Who has a push key: the app, the push key, the user. Written and deleted together with `pushers`; read when somebody claims the push key. Redactions
    /// do not touch it.
    pub PusherOwners = 197 "pusher_owners" Scan { (String, String, OwnedUserId) => () }

    /// OpenID tokens by their hash. Written by requests for one; read by the services that users show them to; deleted when they have ended, by newer
    /// ones of the user when there are too many, and with the account. Redactions do not touch it.
    pub OpenIdTokens = 198 "openid_tokens" Point { SecretHash => OpenIdTokenRow }

    /// The same by their end, for who sweeps: written and deleted together with `openid_tokens`.
    pub OpenIdTokenEnds = 199 "openid_token_ends" Queue { (UnixMillis, SecretHash) => OwnedUserId }

    /// The same by their user, those that end first first: written and deleted together with `openid_tokens`.
    pub OpenIdTokensOfUser = 270 "openid_tokens_of_user" Scan { (OwnedUserId, UnixMillis, SecretHash) => () }
}

tags! {
    /// What a user wants of a thread (MSC4306).
    pub enum ThreadWish {
        /// To hear of it: they said so.
        Manual = 1,
        /// To hear of it: a client thinks so, because they were mentioned in it.
        Automatic = 2,
        /// Not any more.
        Unsubscribed = 3,
    }
}

tags! {
    /// What an account may be used for.
    pub enum UserKind {
        /// Everything.
        Regular = 1,
        /// What guest access allows (client-server API, "Guest access").
        Guest = 2,
        /// Nothing that people do: the server speaks in its name (client-server API, "Server Notices"). Nobody logs in.
        Server = 3,
    }
}

tags! {
    /// What a token is for.
    pub enum TokenKind {
        Access = 1,
        Refresh = 2,
    }
}

record! {
    /// A user of this server.
    pub struct UserRow = 1 {
        pub kind: UserKind,
        pub created: UnixMillis,
        /// The password's hash as a tagged PHC string; `None` for a user who cannot log in with one.
        pub password: Option<String>,
        pub admin: bool,
        /// Nothing but logging out, until unlocked (client-server API, "Account locking").
        pub locked: bool,
        /// Reading only, more or less (client-server API, "Account suspension").
        pub suspended: bool,
        /// Final.
        pub deactivated: Option<DeactivationRow>,
    }
}

record! {
    /// The end of an account.
    pub struct DeactivationRow = 1 {
        pub at: UnixMillis,
        /// The user asked that what was sent be shown to nobody who did not have it already.
        pub erase: bool,
    }
}

record! {
    /// A device.
    pub struct DeviceRow = 1 {
        /// When the row was made. No two devices ever have the same, so it tells a device from one of the same id that was there before:
        /// what is kept for the one is not for the other.
        pub since: Position,
        pub display_name: Option<String>,
        pub created: UnixMillis,
        /// The newest generation of tokens that has been used. Tokens of this generation and the next one are valid.
        pub generation: u32,
    }
}

record! {
    /// Which device of a user is dehydrated.
    pub struct DehydratedDeviceRow = 1 {
        pub device: OwnedDeviceId,
        /// When it was made, as in its row.
        pub since: Position,
        /// A JSON object.
        pub data: Tail<String>,
    }
}

record! {
    /// As it was without the program's name.
    pub struct LastSeenRowV1 = 1 {
        pub at: UnixMillis,
        pub address: String,
    }
}

record! {
    /// The last time that a device was seen.
    pub struct LastSeenRow = 2 from LastSeenRowV1 {
        pub at: UnixMillis,
        pub address: String,
        /// What the program calls itself (`User-Agent`), at most [`MAX_USER_AGENT_CHARACTERS`] of it.
        pub user_agent: Option<String>,
    }
}

/// So much is kept of what a program calls itself.
pub const MAX_USER_AGENT_CHARACTERS: usize = 255;

impl From<LastSeenRowV1> for LastSeenRow {
    fn from(LastSeenRowV1 { at, address }: LastSeenRowV1) -> Self {
        Self { at, address, user_agent: None }
    }
}

record! {
    /// Whom an access token belongs to.
    pub struct AccessTokenRow = 1 {
        pub user: OwnedUserId,
        pub device: OwnedDeviceId,
        pub generation: u32,
        pub expires: Option<UnixMillis>,
    }
}

record! {
    /// Whom a refresh token belongs to.
    pub struct RefreshTokenRow = 1 {
        pub user: OwnedUserId,
        pub device: OwnedDeviceId,
        pub generation: u32,
        pub expires: Option<UnixMillis>,
    }
}

record! {
    /// One token of a device.
    pub struct DeviceTokenRow = 1 {
        pub kind: TokenKind,
        pub generation: u32,
    }
}

record! {
    /// What a registration token allows.
    pub struct RegistrationTokenRow = 1 {
        /// Accounts that may be made with it; `None` is any number.
        pub uses_allowed: Option<u32>,
        pub used: u32,
        pub expires: Option<UnixMillis>,
        /// Made by the first start of a server without users.
        pub made_at_start: bool,
    }
}

record! {
    /// That a document was accepted.
    pub struct AcceptedTermsRow = 1 {
        pub version: String,
        pub at: UnixMillis,
    }
}

record! {
    /// An e-mail address of a user.
    pub struct EmailAddressRow = 1 {
        /// When the link of the mail to it was followed.
        pub validated: UnixMillis,
        pub added: UnixMillis,
    }
}

record! {
    /// A pusher that sends to a push gateway.
    pub struct PusherRow = 1 {
        /// When it was made: of what came before it nothing is sent.
        pub since: Position,
        /// The device that is woken; `None` where an application service has none.
        pub device: Option<OwnedDeviceId>,
        /// When it was set last.
        pub set: UnixMillis,
        /// Whether anything is sent (MSC3881).
        pub enabled: bool,
        pub app_display_name: String,
        pub device_display_name: String,
        pub profile_tag: Option<String>,
        pub lang: String,
        /// A JSON object with the gateway's `url`.
        pub data: Tail<String>,
    }
}

record! {
    /// Whose an OpenID token is.
    pub struct OpenIdTokenRow = 1 {
        pub user: OwnedUserId,
        pub expires: UnixMillis,
    }
}

record! {
    /// One piece of account data.
    pub struct AccountDataRow = 1 {
        pub position: Position,
        /// A JSON object.
        pub content: Tail<String>,
    }
}

record! {
    /// How much account data a user has.
    pub struct AccountDataTotalsRow = 1 {
        pub rows: u32,
        /// Of types, room ids and contents.
        pub bytes: u64,
    }
}

record! {
    /// A thread that a user has subscribed to, or did once.
    pub struct ThreadSubscriptionRow = 1 {
        /// When it changed last.
        pub position: Position,
        pub wish: ThreadWish,
        /// Of all changes of the user's subscriptions the how many'th it was.
        pub bump_stamp: u64,
    }
}

record! {
    /// How many threads a user has rows of.
    #[derive(Copy)]
    pub struct ThreadSubscriptionTotalsRow = 1 {
        pub rows: u32,
        /// Of the last change.
        pub stamp: u64,
        /// When that was.
        pub changed: Position,
    }
}
