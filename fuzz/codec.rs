//! Keys: each value has one encoding, and bytes are in the order of what they stand for.

use std::fmt::Debug;

use plop_db::Position;
use plop_db::codec::{Codec, Tail, decode, encode};
use plop_rooms::HistoryPlace;
use plop_state_store::{EventNumber, RoomNumber};
use ruma::{OwnedDeviceId, OwnedEventId, OwnedRoomId, OwnedServerName, OwnedUserId};

use crate::parts::Parts;

/// What holds for two keys of one type.
type Check = fn(&[u8], &[u8]);

/// Types of keys, and of their fields.
const TYPES: [Check; 15] = [
    holds_for::<u16>,
    holds_for::<u64>,
    holds_for::<i64>,
    holds_for::<bool>,
    holds_for::<[u8; 3]>,
    holds_for::<String>,
    holds_for::<Vec<u8>>,
    holds_for::<Option<u64>>,
    holds_for::<Vec<String>>,
    holds_for::<(u64, String, i64)>,
    holds_for::<(OwnedUserId, OwnedDeviceId)>,
    holds_for::<(RoomNumber, Position)>,
    holds_for::<(RoomNumber, OwnedEventId, EventNumber)>,
    holds_for::<(RoomNumber, HistoryPlace, Tail<String>)>,
    holds_for::<(OwnedServerName, OwnedRoomId)>,
];

/// Takes a byte for the type, and two keys, half of the rest each.
pub fn target(data: &[u8]) {
    let mut parts = Parts::new(data);
    let Some(holds) = parts.choose(&TYPES) else { return };
    let rest = parts.rest();
    let (a, b) = rest.split_at(rest.len() / 2);
    holds(a, b);
}

fn holds_for<T: Codec + Ord + Debug>(a: &[u8], b: &[u8]) {
    let (value_a, value_b) = (decode::<T>(a), decode::<T>(b));
    for (value, bytes) in [(&value_a, a), (&value_b, b)] {
        if let Ok(value) = value {
            assert_eq!(encode(value), bytes, "{value:?} has two encodings");
        }
    }
    if let (Ok(value_a), Ok(value_b)) = (value_a, value_b) {
        assert_eq!(value_a.cmp(&value_b), a.cmp(b), "order of {value_a:?} and {value_b:?}");
    }
}
