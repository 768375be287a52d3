//! What deviates from the specification's data on purpose, each with its reason.

use super::operations::Operation;
use super::schema::Deviation;

/// A part of an answer that is not as the data says.
struct Exception {
    method: &'static str,
    /// As in the data.
    path: &'static str,
    status: u16,
    /// Where in the answer; `*` is any one name.
    place: &'static str,
    /// How the deviation is told.
    what: &'static str,
    _reason: &'static str,
}

/// A member that is `null` where the data lets it be left out.
const fn null(path: &'static str, place: &'static str, reason: &'static str) -> Exception {
    Exception { method: "GET", path, status: 200, place, what: "is null ", _reason: reason }
}

const NIO: &str = "what is not known of a device is null, as Synapse answers: matrix-nio asks for every key";
const MEMBERS: &str =
    "a member without a name or picture has null there, as Synapse answers and clients know it";

const DEVICES: &str = "/_matrix/client/v3/devices";
const DEVICE: &str = "/_matrix/client/v3/devices/{deviceId}";
const JOINED_MEMBERS: &str = "/_matrix/client/v3/rooms/{roomId}/joined_members";

const DELAYED: &str = "a delayed event has no id yet (MSC4140, the deployed dialect)";

/// An answer that has a name for a delayed event in the place of an event's id.
const fn delayed(path: &'static str) -> Exception {
    Exception { method: "PUT", path, status: 200, place: "", what: "lacks \"event_id\"", _reason: DELAYED }
}

const NO_TURN: &str = "without TURN servers there is nothing to tell, as Synapse answers and clients know it";

/// A member that is not there where there are no TURN servers.
const fn no_turn(what: &'static str) -> Exception {
    let path = "/_matrix/client/v3/voip/turnServer";
    Exception { method: "GET", path, status: 200, place: "", what, _reason: NO_TURN }
}

const EXCEPTIONS: &[Exception] = &[
    no_turn("lacks \"username\""),
    no_turn("lacks \"password\""),
    no_turn("lacks \"uris\""),
    no_turn("lacks \"ttl\""),
    delayed("/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}"),
    delayed("/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}"),
    null(DEVICES, "/devices/*/display_name", NIO),
    null(DEVICES, "/devices/*/last_seen_ip", NIO),
    null(DEVICES, "/devices/*/last_seen_ts", NIO),
    null(DEVICE, "/display_name", NIO),
    null(DEVICE, "/last_seen_ip", NIO),
    null(DEVICE, "/last_seen_ts", NIO),
    null(JOINED_MEMBERS, "/joined/*/display_name", MEMBERS),
    null(JOINED_MEMBERS, "/joined/*/avatar_url", MEMBERS),
];

/// A part of the content of an event, wherever it stands, that is not as the data says.
struct ContentException {
    /// The event's type.
    kind: &'static str,
    place: &'static str,
    what: &'static str,
    _reason: &'static str,
}

const CONTENT_EXCEPTIONS: &[ContentException] = &[ContentException {
    kind: "m.space.child",
    place: "/order",
    what: "is ",
    _reason: "what members send is told as it is; where an order is none, the child is ordered without",
}];

/// Whether a deviation of a content is on the list.
pub fn is_excepted_content(kind: &str, deviation: &Deviation) -> bool {
    CONTENT_EXCEPTIONS.iter().any(|exception| {
        exception.kind == kind
            && deviation.what.starts_with(exception.what)
            && is_at(exception.place, &deviation.place)
    })
}

/// Whether a deviation is on the list.
pub fn is_excepted(operation: &Operation, status: u16, deviation: &Deviation) -> bool {
    EXCEPTIONS.iter().any(|exception| {
        (exception.method, exception.path, exception.status)
            == (operation.method.as_str(), operation.path.as_str(), status)
            && deviation.what.starts_with(exception.what)
            && is_at(exception.place, &deviation.place)
    })
}

fn is_at(pattern: &str, place: &str) -> bool {
    let (mut pattern, mut place) = (pattern.split('/'), place.split('/'));
    loop {
        match (pattern.next(), place.next()) {
            (None, None) => return true,
            (Some(name), Some(part)) if name == "*" || name == part => {}
            _ => return false,
        }
    }
}
