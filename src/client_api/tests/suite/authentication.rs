//! Who may call what: every endpoint is in this table, so that a new one without a row fails here.

mod others;

use http::Method;
use plop_accounts::moderation::Decision;
use plop_base::Actor;

use crate::bed::{Bed, User, admit_guests};
use crate::call::Answer;

/// What an endpoint asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    /// Nothing: an access token is not looked at.
    Nothing,
    /// Nothing; a session, if there is a token, of an account that is not locked.
    MaybeSession,
    /// A session of any account that is there.
    AnySession,
    /// A session of an account that is not locked.
    Session,
    /// A session of an account that is neither locked nor suspended.
    ActiveSession,
    /// Such a session of an administrator.
    Admin,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is let in; what the endpoint then says of it is not this table's.
    LetIn,
    /// This status and error code.
    Refused(u16, &'static str),
}

use Outcome::{LetIn, Refused};

const NO_TOKEN: Outcome = Refused(401, "M_MISSING_TOKEN");
const UNKNOWN: Outcome = Refused(401, "M_UNKNOWN_TOKEN");
const LOCKED: Outcome = Refused(401, "M_USER_LOCKED");
const SUSPENDED: Outcome = Refused(403, "M_USER_SUSPENDED");
const NO_GUESTS: Outcome = Refused(403, "M_GUEST_ACCESS_FORBIDDEN");
/// Looked for where administrators are asked for: elsewhere it is what an endpoint says.
const NO_ADMIN: Outcome = Refused(403, "M_FORBIDDEN");

/// What a request without a token, with an unknown one, of a locked, a suspended, a deactivated and an ordinary user becomes.
fn expected(asks: Asks) -> [Outcome; 6] {
    match asks {
        Asks::Nothing => [LetIn; 6],
        Asks::MaybeSession => [LetIn, UNKNOWN, LOCKED, LetIn, UNKNOWN, LetIn],
        Asks::AnySession => [NO_TOKEN, UNKNOWN, LetIn, LetIn, UNKNOWN, LetIn],
        Asks::Session => [NO_TOKEN, UNKNOWN, LOCKED, LetIn, UNKNOWN, LetIn],
        Asks::ActiveSession => [NO_TOKEN, UNKNOWN, LOCKED, SUSPENDED, UNKNOWN, LetIn],
        Asks::Admin => [NO_TOKEN, UNKNOWN, LOCKED, SUSPENDED, UNKNOWN, NO_ADMIN],
    }
}

/// What the request of a guest becomes.
fn expected_of_guests(method: &str, path: &str, asks: Asks) -> Outcome {
    match asks {
        Asks::Nothing | Asks::MaybeSession => LetIn,
        _ if OPEN_TO_GUESTS.contains(&(method, path)) => LetIn,
        Asks::AnySession | Asks::Session | Asks::ActiveSession | Asks::Admin => NO_GUESTS,
    }
}

/// The table.
const ENDPOINTS: &[(&str, &str, Asks)] = &[
    ("GET", "/_matrix/client/versions", Asks::Nothing),
    ("GET", "/.well-known/matrix/client", Asks::Nothing),
    ("GET", "/.well-known/matrix/support", Asks::Nothing),
    ("GET", "/_matrix/client/v3/capabilities", Asks::Session),
    ("GET", "/_matrix/client/v3/voip/turnServer", Asks::Session),
    ("GET", "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports", Asks::Session),
    ("GET", "/_matrix/client/v3/login", Asks::Nothing),
    ("POST", "/_matrix/client/v3/login", Asks::Nothing),
    ("POST", "/_matrix/client/v1/login/get_token", Asks::Session),
    ("POST", "/_matrix/client/v3/refresh", Asks::Nothing),
    ("POST", "/_matrix/client/v3/logout", Asks::AnySession),
    ("POST", "/_matrix/client/v3/logout/all", Asks::AnySession),
    ("POST", "/_matrix/client/v3/register", Asks::Nothing),
    ("GET", "/_matrix/client/v3/register/available", Asks::Nothing),
    ("GET", "/_matrix/client/v1/register/m.login.registration_token/validity", Asks::Nothing),
    ("GET", "/_synapse/admin/v1/register", Asks::Nothing),
    ("POST", "/_synapse/admin/v1/register", Asks::Nothing),
    ("GET", "/_matrix/client/v3/auth/{authType}/fallback/web", Asks::Nothing),
    ("POST", "/_matrix/client/v3/auth/{authType}/fallback/web", Asks::Nothing),
    ("GET", "/_matrix/static/client/login/", Asks::Nothing),
    ("GET", "/_matrix/client/v3/account/whoami", Asks::Session),
    ("POST", "/_matrix/client/v3/account/password", Asks::Session),
    ("POST", "/_matrix/client/v3/account/deactivate", Asks::Session),
    ("POST", "/_matrix/client/v3/user/{userId}/openid/request_token", Asks::Session),
    ("GET", "/_matrix/client/v3/account/3pid", Asks::Session),
    ("POST", "/_matrix/client/v3/account/3pid/add", Asks::ActiveSession),
    ("POST", "/_matrix/client/v3/account/3pid/bind", Asks::ActiveSession),
    ("POST", "/_matrix/client/v3/account/3pid/delete", Asks::ActiveSession),
    ("POST", "/_matrix/client/v3/account/3pid/unbind", Asks::ActiveSession),
    ("POST", "/_matrix/client/v3/account/3pid/email/requestToken", Asks::Nothing),
    ("POST", "/_matrix/client/v3/account/3pid/msisdn/requestToken", Asks::Nothing),
    ("POST", "/_matrix/client/v3/account/password/email/requestToken", Asks::Nothing),
    ("POST", "/_matrix/client/v3/account/password/msisdn/requestToken", Asks::Nothing),
    ("POST", "/_matrix/client/v3/register/email/requestToken", Asks::Nothing),
    ("POST", "/_matrix/client/v3/register/msisdn/requestToken", Asks::Nothing),
    ("GET", "/_matrix/client/unstable/plop/email/submit_token", Asks::Nothing),
    ("POST", "/_matrix/client/unstable/plop/email/submit_token", Asks::Nothing),
    ("GET", "/_matrix/client/v1/admin/lock/{userId}", Asks::Admin),
    ("PUT", "/_matrix/client/v1/admin/lock/{userId}", Asks::Admin),
    ("GET", "/_matrix/client/v1/admin/suspend/{userId}", Asks::Admin),
    ("PUT", "/_matrix/client/v1/admin/suspend/{userId}", Asks::Admin),
    ("GET", "/_matrix/client/v3/admin/whois/{userId}", Asks::Session),
    ("POST", "/_synapse/admin/v1/send_server_notice", Asks::Admin),
    ("PUT", "/_synapse/admin/v1/send_server_notice/{txnId}", Asks::Admin),
    ("GET", "/_matrix/client/v3/devices", Asks::Session),
    ("GET", "/_matrix/client/v3/devices/{deviceId}", Asks::Session),
    ("PUT", "/_matrix/client/v3/devices/{deviceId}", Asks::Session),
    ("DELETE", "/_matrix/client/v3/devices/{deviceId}", Asks::Session),
    ("PUT", "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device", Asks::Session),
    ("GET", "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device", Asks::Session),
    ("DELETE", "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device", Asks::Session),
    (
        "GET",
        "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{deviceId}/events",
        Asks::Session,
    ),
    (
        "POST",
        "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{deviceId}/events",
        Asks::Session,
    ),
    ("POST", "/_matrix/client/v3/delete_devices", Asks::Session),
    ("GET", "/_matrix/client/v3/profile/{userId}", Asks::Nothing),
    ("GET", "/_matrix/client/v3/profile/{userId}/{keyName}", Asks::Nothing),
    ("PUT", "/_matrix/client/v3/profile/{userId}/{keyName}", Asks::ActiveSession),
    ("DELETE", "/_matrix/client/v3/profile/{userId}/{keyName}", Asks::ActiveSession),
    ("GET", "/_matrix/client/v3/user/{userId}/account_data/{type}", Asks::Session),
    ("PUT", "/_matrix/client/v3/user/{userId}/account_data/{type}", Asks::Session),
    ("GET", "/_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}", Asks::Session),
    ("PUT", "/_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}", Asks::Session),
    (
        "DELETE",
        "/_matrix/client/unstable/org.matrix.msc3391/user/{userId}/account_data/{type}",
        Asks::Session,
    ),
    (
        "DELETE",
        "/_matrix/client/unstable/org.matrix.msc3391/user/{userId}/rooms/{roomId}/account_data/{type}",
        Asks::Session,
    ),
    ("GET", "/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags", Asks::Session),
    ("PUT", "/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}", Asks::Session),
    ("DELETE", "/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}", Asks::Session),
    ("POST", "/_matrix/client/v3/user/{userId}/filter", Asks::Session),
    ("GET", "/_matrix/client/v3/user/{userId}/filter/{filterId}", Asks::Session),
    ("GET", "/_matrix/client/v3/notifications", Asks::Session),
    ("GET", "/_matrix/client/v3/pushrules", Asks::Session),
    ("GET", "/_matrix/client/v3/pushrules/", Asks::Session),
    ("GET", "/_matrix/client/v3/pushrules/global", Asks::Session),
    ("GET", "/_matrix/client/v3/pushrules/global/", Asks::Session),
    ("GET", "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}", Asks::Session),
    ("PUT", "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}", Asks::Session),
    ("DELETE", "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}", Asks::Session),
    ("GET", "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled", Asks::Session),
    ("PUT", "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled", Asks::Session),
    ("GET", "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions", Asks::Session),
    ("PUT", "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions", Asks::Session),
    ("GET", "/_matrix/client/v3/pushers", Asks::Session),
    ("POST", "/_matrix/client/v3/pushers/set", Asks::Session),
    ("GET", "/_matrix/client/v3/presence/{userId}/status", Asks::Session),
    ("PUT", "/_matrix/client/v3/presence/{userId}/status", Asks::ActiveSession),
    ("GET", "/_matrix/client/v3/sync", Asks::Session),
    ("POST", "/_matrix/client/v4/sync", Asks::Session),
    ("POST", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", Asks::Session),
    ("POST", "/_matrix/client/v3/createRoom", Asks::ActiveSession),
    ("POST", "/_matrix/client/v3/rooms/{roomId}/upgrade", Asks::ActiveSession),
    ("GET", "/_matrix/client/v3/joined_rooms", Asks::Session),
    ("POST", "/_matrix/client/v3/join/{roomIdOrAlias}", Asks::ActiveSession),
    ("POST", "/_matrix/client/v3/rooms/{roomId}/join", Asks::ActiveSession),
    ("POST", "/_matrix/client/v3/knock/{roomIdOrAlias}", Asks::ActiveSession),
    ("POST", "/_matrix/client/v3/rooms/{roomId}/invite", Asks::ActiveSession),
    ("POST", "/_matrix/client/v3/rooms/{roomId}/leave", Asks::Session),
    ("POST", "/_matrix/client/v3/rooms/{roomId}/kick", Asks::ActiveSession),
    ("POST", "/_matrix/client/v3/rooms/{roomId}/ban", Asks::ActiveSession),
    ("POST", "/_matrix/client/v3/rooms/{roomId}/unban", Asks::ActiveSession),
    ("POST", "/_matrix/client/v3/rooms/{roomId}/forget", Asks::Session),
    ("GET", "/_matrix/client/v3/directory/room/{roomAlias}", Asks::Nothing),
    ("PUT", "/_matrix/client/v3/directory/room/{roomAlias}", Asks::ActiveSession),
    ("DELETE", "/_matrix/client/v3/directory/room/{roomAlias}", Asks::ActiveSession),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/aliases", Asks::Session),
    ("GET", "/_matrix/client/v3/directory/list/room/{roomId}", Asks::Nothing),
    ("PUT", "/_matrix/client/v3/directory/list/room/{roomId}", Asks::ActiveSession),
    ("GET", "/_matrix/client/v3/publicRooms", Asks::Nothing),
    ("POST", "/_matrix/client/v3/publicRooms", Asks::Session),
    ("GET", "/_matrix/client/v1/rooms/{roomId}/hierarchy", Asks::Session),
    ("GET", "/_matrix/client/v1/room_summary/{roomIdOrAlias}", Asks::MaybeSession),
    ("GET", "/_matrix/client/unstable/im.nheko.summary/summary/{roomIdOrAlias}", Asks::MaybeSession),
    ("PUT", "/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}", Asks::ActiveSession),
    ("POST", "/_matrix/client/v3/rooms/{roomId}/send/{eventType}", Asks::ActiveSession),
    ("PUT", "/_matrix/client/v3/rooms/{roomId}/delayed_event/{eventType}/{txnId}", Asks::ActiveSession),
    ("GET", "/_matrix/client/v1/delayed_events/{delayId}", Asks::Session),
    ("POST", "/_matrix/client/v1/delayed_events/{delayId}/{action}", Asks::Nothing),
    (
        "PUT",
        "/_matrix/client/unstable/org.matrix.msc4140/rooms/{roomId}/delayed_event/{eventType}/{txnId}",
        Asks::ActiveSession,
    ),
    ("GET", "/_matrix/client/unstable/org.matrix.msc4140/delayed_events", Asks::Session),
    ("GET", "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}", Asks::Session),
    ("POST", "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}", Asks::Nothing),
    ("POST", "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/{action}", Asks::Nothing),
    ("POST", "/_matrix/client/v3/rooms/{roomId}/report", Asks::Session),
    ("POST", "/_matrix/client/v3/rooms/{roomId}/report/{eventId}", Asks::Session),
    ("POST", "/_matrix/client/v3/users/{userId}/report", Asks::Session),
    ("PUT", "/_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}", Asks::Session),
    ("PUT", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}", Asks::ActiveSession),
    ("PUT", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/", Asks::ActiveSession),
    ("PUT", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", Asks::ActiveSession),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/state", Asks::Session),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}", Asks::Session),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/", Asks::Session),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", Asks::Session),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/event/{eventId}", Asks::Session),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/context/{eventId}", Asks::Session),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/messages", Asks::Session),
    ("GET", "/_matrix/client/v1/rooms/{roomId}/timestamp_to_event", Asks::Session),
    ("GET", "/_matrix/client/v1/rooms/{roomId}/relations/{eventId}", Asks::Session),
    ("GET", "/_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}", Asks::Session),
    ("GET", "/_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}", Asks::Session),
    ("GET", "/_matrix/client/v1/rooms/{roomId}/threads", Asks::Session),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/members", Asks::Session),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/joined_members", Asks::Session),
    (
        "GET",
        "/_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription",
        Asks::Session,
    ),
    (
        "PUT",
        "/_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription",
        Asks::Session,
    ),
    (
        "DELETE",
        "/_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription",
        Asks::Session,
    ),
    ("GET", "/_matrix/client/unstable/io.element.msc4308/thread_subscriptions", Asks::Session),
    ("PUT", "/_matrix/client/v3/rooms/{roomId}/typing/{userId}", Asks::ActiveSession),
    ("POST", "/_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}", Asks::Session),
    ("POST", "/_matrix/client/v3/rooms/{roomId}/read_markers", Asks::Session),
    ("PUT", "/_matrix/client/v3/sendToDevice/{eventType}/{txnId}", Asks::Session),
    ("POST", "/_matrix/client/v3/room_keys/version", Asks::Session),
    ("GET", "/_matrix/client/v3/room_keys/version", Asks::Session),
    ("GET", "/_matrix/client/v3/room_keys/version/{version}", Asks::Session),
    ("PUT", "/_matrix/client/v3/room_keys/version/{version}", Asks::Session),
    ("DELETE", "/_matrix/client/v3/room_keys/version/{version}", Asks::Session),
    ("PUT", "/_matrix/client/v3/room_keys/keys", Asks::Session),
    ("PUT", "/_matrix/client/v3/room_keys/keys/{roomId}", Asks::Session),
    ("PUT", "/_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}", Asks::Session),
    ("GET", "/_matrix/client/v3/room_keys/keys", Asks::Session),
    ("GET", "/_matrix/client/v3/room_keys/keys/{roomId}", Asks::Session),
    ("GET", "/_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}", Asks::Session),
    ("DELETE", "/_matrix/client/v3/room_keys/keys", Asks::Session),
    ("DELETE", "/_matrix/client/v3/room_keys/keys/{roomId}", Asks::Session),
    ("DELETE", "/_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}", Asks::Session),
    ("POST", "/_matrix/client/v3/keys/upload", Asks::Session),
    ("POST", "/_matrix/client/v3/keys/query", Asks::Session),
    ("POST", "/_matrix/client/v3/keys/claim", Asks::Session),
    ("GET", "/_matrix/client/v3/keys/changes", Asks::Session),
    ("POST", "/_matrix/client/v3/keys/device_signing/upload", Asks::Session),
    ("POST", "/_matrix/client/v3/keys/signatures/upload", Asks::Session),
    ("POST", "/_matrix/media/v3/upload", Asks::ActiveSession),
    ("POST", "/_matrix/media/v1/create", Asks::ActiveSession),
    ("PUT", "/_matrix/media/v3/upload/{serverName}/{mediaId}", Asks::ActiveSession),
    ("GET", "/_matrix/client/v1/media/config", Asks::Session),
    ("GET", "/_matrix/client/v1/media/download/{serverName}/{mediaId}", Asks::Session),
    ("GET", "/_matrix/client/v1/media/download/{serverName}/{mediaId}/{fileName}", Asks::Session),
    ("GET", "/_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}", Asks::Session),
    ("GET", "/_matrix/media/v3/thumbnail/{serverName}/{mediaId}", Asks::Nothing),
    ("GET", "/_matrix/media/v3/config", Asks::Session),
    ("GET", "/_matrix/client/v1/media/preview_url", Asks::Session),
    ("GET", "/_matrix/media/v3/preview_url", Asks::Session),
    ("GET", "/_matrix/media/v3/download/{serverName}/{mediaId}", Asks::Nothing),
    ("GET", "/_matrix/media/v3/download/{serverName}/{mediaId}/{fileName}", Asks::Nothing),
    ("POST", "/_matrix/client/v3/user_directory/search", Asks::Session),
    ("GET", "/_matrix/client/v1/mutual_rooms", Asks::Session),
    ("POST", "/_matrix/client/v3/search", Asks::Session),
];

/// Each kind of caller; the users' sessions are made anew for each endpoint, for some endpoints end them.
async fn callers(bed: &Bed, number: usize) -> [Option<String>; 7] {
    let user = async |kind: &str| bed.user(&format!("{kind}{number}")).await;
    let decide = async |user: &User, decision| {
        bed.api.accounts.decide(&Actor::Server, &user.id, decision).await.expect("decided");
    };
    let (locked, suspended) = (user("locked").await, user("suspended").await);
    decide(&locked, Decision::Locked(true)).await;
    decide(&suspended, Decision::Suspended(true)).await;
    let deactivated = user("deactivated").await;
    plop_bed::deactivate(&bed.api.accounts, &deactivated.actor(), false).await.expect("deactivated");
    let ordinary = user("ordinary").await;
    let tokens = [locked, suspended, deactivated, ordinary].map(|user| Some(user.token));
    let [locked, suspended, deactivated, ordinary] = tokens;
    let guest = Some(bed.guest().await.token);
    [None, Some("made up".to_owned()), locked, suspended, deactivated, ordinary, guest]
}

/// A path of the table with parameters that are well formed and name nothing.
pub fn path(template: &str) -> String {
    let parameters = [
        ("{userId}", "@nobody:plop.example"),
        ("{roomId}", "!nowhere:plop.example"),
        ("{roomIdOrAlias}", "!nowhere:plop.example"),
        ("{roomAlias}", "%23nowhere:plop.example"),
        ("{eventId}", "$nothing"),
        ("{keyName}", "displayname"),
    ];
    let path = parameters.iter().fold(template.to_owned(), |path, (name, value)| path.replace(name, value));
    let mut parts = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| format!("{path}/{part}"))
}

fn outcome(answer: &Answer, asks: Asks) -> Outcome {
    let of_admins = (asks == Asks::Admin).then_some(NO_ADMIN);
    let mut refusals = [NO_TOKEN, UNKNOWN, LOCKED, SUSPENDED, NO_GUESTS].into_iter().chain(of_admins);
    let is = |refusal: &Outcome| match *refusal {
        Refused(status, errcode) => answer.status == status && answer.body["errcode"] == errcode,
        LetIn => false,
    };
    refusals.find(is).unwrap_or(LetIn)
}

#[tokio::test(start_paused = true)]
async fn every_endpoint_lets_in_whom_the_table_says() {
    let bed = Bed::with(admit_guests).await;
    for (number, (method, template, asks)) in ENDPOINTS.iter().enumerate() {
        let callers = callers(&bed, number).await;
        let names = ["nobody", "unknown", "locked", "suspended", "deactivated", "ordinary", "a guest"];
        let expected = expected(*asks).into_iter().chain([expected_of_guests(method, template, *asks)]);
        for ((caller, name), expected) in callers.into_iter().zip(names).zip(expected) {
            let call = bed.call(Method::from_bytes(method.as_bytes()).expect("a method"), &path(template));
            let call = if *method == "GET" { call } else { call.text("{}") };
            let answer = match caller {
                Some(token) => call.token(&token).await,
                None => call.await,
            };
            assert_eq!(outcome(&answer, *asks), expected, "{method} {template} by {name}: {answer:?}");
            assert!(!answer.status.is_server_error(), "{method} {template} by {name}: {answer:?}");
        }
    }
}

#[test]
fn every_endpoint_is_in_the_table_once() {
    let listed = plop_client_api::table();
    let mut listed: Vec<String> =
        listed.listed().iter().map(|(method, path)| format!("{method} {path}")).collect();
    let mut rows: Vec<String> =
        ENDPOINTS.iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    listed.sort();
    rows.sort();
    for pair in rows.windows(2) {
        assert_ne!(pair[0], pair[1], "twice in the table");
    }
    let without: Vec<_> = listed.iter().filter(|endpoint| !rows.contains(endpoint)).collect();
    assert!(without.is_empty(), "not in the table of tests/suite/authentication.rs: {without:#?}");
    let open = OPEN_TO_GUESTS.iter().map(|(method, path)| format!("{method} {path}"));
    let unknown: Vec<_> = open.filter(|endpoint| !rows.contains(endpoint)).collect();
    assert!(unknown.is_empty(), "open to guests, but no endpoint: {unknown:#?}");
    let gone: Vec<_> = rows.iter().filter(|row| !listed.contains(row)).collect();
    assert!(gone.is_empty(), "in the table, but no endpoint: {gone:#?}");
}

/// What guests are let in at (client-server API, "Guest access"), besides what asks for no session, or for one only if there is any.
const OPEN_TO_GUESTS: &[(&str, &str)] = &[
    ("GET", "/_matrix/client/v3/rooms/{roomId}/state"),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}"),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/"),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}"),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/context/{eventId}"),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/event/{eventId}"),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/messages"),
    ("GET", "/_matrix/client/v3/rooms/{roomId}/members"),
    ("GET", "/_matrix/client/v3/sync"),
    ("GET", "/_matrix/client/v1/media/download/{serverName}/{mediaId}"),
    ("GET", "/_matrix/client/v1/media/download/{serverName}/{mediaId}/{fileName}"),
    ("GET", "/_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}"),
    ("POST", "/_matrix/client/v3/rooms/{roomId}/join"),
    ("POST", "/_matrix/client/v3/rooms/{roomId}/leave"),
    ("PUT", "/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}"),
    ("PUT", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}"),
    ("PUT", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/"),
    ("PUT", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}"),
    ("PUT", "/_matrix/client/v3/sendToDevice/{eventType}/{txnId}"),
    // The display name; what else there is, the endpoint refuses.
    ("PUT", "/_matrix/client/v3/profile/{userId}/{keyName}"),
    ("DELETE", "/_matrix/client/v3/profile/{userId}/{keyName}"),
    ("GET", "/_matrix/client/v3/devices"),
    ("GET", "/_matrix/client/v3/devices/{deviceId}"),
    ("PUT", "/_matrix/client/v3/devices/{deviceId}"),
    ("GET", "/_matrix/client/v3/account/whoami"),
    ("POST", "/_matrix/client/v3/keys/upload"),
    ("POST", "/_matrix/client/v3/keys/query"),
    ("POST", "/_matrix/client/v3/keys/claim"),
];
