//! Round trip, order, prefixes, refusal of every other form; and the bytes that are on disks already.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};

use bytes::Bytes;
use plop_base::UnixMillis;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use ruma::{OwnedDeviceId, OwnedEventId, OwnedRoomId, OwnedServerName, OwnedUserId, RoomVersionId};

use super::*;
use crate::position::Position;

/// All that the head of the module promises, for two values.
fn holds_for<T: Codec + Ord + Debug>(a: &T, b: &T) {
    let (bytes_a, bytes_b) = (encode(a), encode(b));
    assert_eq!(decode::<T>(&bytes_a).as_ref(), Ok(a), "round trip");
    assert_eq!(bytes_a.cmp(&bytes_b), a.cmp(b), "order of {a:?} and {b:?}");
    if a != b {
        assert!(!bytes_b.starts_with(&bytes_a), "{a:?} is a prefix of {b:?}");
    }
    for cut in 0..bytes_a.len() {
        assert!(decode::<T>(&bytes_a[..cut]).is_err(), "{a:?} cut at {cut}");
    }
    let longer = [bytes_a.as_slice(), &[0]].concat();
    assert!(decode::<T>(&longer).is_err(), "{a:?} and a byte more");
}

/// Strings of few characters, so that prefixes and zeros are common.
fn text() -> impl Strategy<Value = String> {
    vec(prop::sample::select(vec!['\0', '\u{1}', 'a', 'b', '\u{ff}', '\u{10ffff}']), 0..6)
        .prop_map(String::from_iter)
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0u8), Just(1), Just(0xFF), any::<u8>()], 0..8)
}

/// Numbers of every length.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64u32).prop_map(|(number, shift)| number >> shift)
}

fn signed() -> impl Strategy<Value = i64> {
    (any::<i64>(), 0..64u32).prop_map(|(number, shift)| number >> shift)
}

fn position() -> impl Strategy<Value = Position> {
    (0..1u64 << 60, any::<u32>()).prop_map(|(commit, index)| Position::of_commit(commit, index))
}

proptest! {
    #[test]
    fn numbers(a in number(), b in number(), c in signed(), d in signed(), e in any::<u16>(), f in any::<u16>()) {
        holds_for(&a, &b);
        holds_for(&c, &d);
        holds_for(&e, &f);
        holds_for(&UnixMillis(a), &UnixMillis(b));
    }

    #[test]
    fn small_ones(a in any::<u8>(), b in any::<u8>(), c in any::<bool>(), d in any::<bool>(), e in any::<[u8; 3]>(), f in any::<[u8; 3]>()) {
        holds_for(&a, &b);
        holds_for(&c, &d);
        holds_for(&e, &f);
    }

    #[test]
    fn texts(a in text(), b in text(), c in octets(), d in octets()) {
        holds_for(&a, &b);
        holds_for(&c, &d);
        holds_for(&Bytes::from(c.clone()), &Bytes::from(d));
        holds_for::<Box<str>>(&a.into(), &b.into());
    }

    #[test]
    fn positions(a in position(), b in position()) {
        holds_for(&a, &b);
    }

    #[test]
    fn composed(
        a in (number(), prop::option::of(text()), vec(signed(), 0..4), position()),
        b in (number(), prop::option::of(text()), vec(signed(), 0..4), position()),
    ) {
        holds_for(&a, &b);
    }

    #[test]
    fn sequences_of_sequences(a in vec(vec(text(), 0..3), 0..3), b in vec(vec(text(), 0..3), 0..3)) {
        holds_for(&a, &b);
    }

    #[test]
    fn maps(a in btree_map(text(), number(), 0..4), b in btree_set(number(), 0..4)) {
        prop_assert_eq!(decode::<BTreeMap<String, u64>>(&encode(&a)), Ok(a));
        prop_assert_eq!(decode::<BTreeSet<u64>>(&encode(&b)), Ok(b));
    }

    #[test]
    fn a_tail_keeps_order_behind_other_fields(a in (text(), octets()), b in (text(), octets())) {
        let encoded = |(head, tail): &(String, Vec<u8>)| encode(&(head.clone(), Tail(tail.clone())));
        prop_assert_eq!(encoded(&a).cmp(&encoded(&b)), a.cmp(&b));
        prop_assert_eq!(decode::<(String, Tail<Vec<u8>>)>(&encoded(&a)), Ok((a.0, Tail(a.1))));
    }

    /// Whatever is accepted is the one form of its value.
    #[test]
    fn other_forms_are_refused(bytes in octets()) {
        fn canonical<T: Codec>(bytes: &[u8]) {
            if let Ok(value) = decode::<T>(bytes) {
                assert_eq!(encode(&value), bytes);
            }
        }
        canonical::<u64>(&bytes);
        canonical::<i64>(&bytes);
        canonical::<u32>(&bytes);
        canonical::<String>(&bytes);
        canonical::<Vec<u8>>(&bytes);
        canonical::<Option<bool>>(&bytes);
        canonical::<Vec<u64>>(&bytes);
        canonical::<BTreeSet<u8>>(&bytes);
        canonical::<(u8, Tail<String>)>(&bytes);
    }
}

#[test]
fn extremes_of_signed_numbers() {
    let mut sorted =
        [i64::MIN, i64::MIN + 1, -65_536, -257, -256, -255, -2, -1, 0, 1, 255, 256, i64::MAX - 1, i64::MAX];
    sorted.sort_unstable();
    for pair in sorted.windows(2) {
        holds_for(&pair[0], &pair[1]);
    }
}

#[test]
fn a_shared_tail_is_not_copied() {
    let stored = Bytes::from(encode(&(5u64, Tail(Bytes::from_static(b"rest")))));
    let (_, Tail(rest)) = decode_all::<(u64, Tail<Bytes>)>(Decoder::shared(&stored)).unwrap();
    assert_eq!(rest.as_ptr(), stored[stored.len() - 4..].as_ptr());
}

/// Found by the fuzz target `codec`: read from damaged bytes and written again, it would have become a real position.
#[test]
fn a_position_that_is_still_to_be_filled_in_is_not_read() {
    for index in [0, 7, u32::MAX] {
        let bytes = Position::pending(index).to_bytes();
        assert_eq!(decode::<Position>(&bytes), Err(CodecError::Invalid("position")));
    }
    let last = Position::of_commit(u64::MAX - 1, u32::MAX);
    assert_eq!(decode(&last.to_bytes()), Ok(last));
}

#[test]
fn pending_positions_leave_slots() {
    let mut out = Encoder::with_prefix(&[9, 9]);
    ("a".to_owned(), Position::pending(3), 5u64, Position::pending(0)).encode(&mut out);
    let encoded = out.finish();
    let slots: Vec<_> = encoded.slots.iter().map(|slot| (slot.offset, slot.index)).collect();
    assert_eq!(slots, [(5, 3), (19, 0)]);
    assert!(encoded.bytes[5..17].iter().all(|byte| *byte == 0xFF));
}

crate::record! {
    /// As released first.
    struct RowV1 = 1 { name: String }
}
crate::record! {
    /// Now.
    struct Row = 2 from RowV1 { name: String, level: Option<i64>, kind: Kind }
}
crate::tags! {
    /// A choice.
    enum Kind { Old = 1, New = 7 }
}
impl From<RowV1> for Row {
    fn from(old: RowV1) -> Self {
        Row { name: old.name, level: None, kind: Kind::Old }
    }
}

#[test]
fn records_read_older_versions_and_refuse_newer_ones() {
    let row = Row { name: "n".to_owned(), level: Some(-1), kind: Kind::New };
    assert_eq!(decode::<Row>(&encode(&row)).as_ref(), Ok(&row));
    let old = encode(&RowV1 { name: "n".to_owned() });
    assert_eq!(decode::<Row>(&old), Ok(Row { level: None, kind: Kind::Old, ..row.clone() }));
    let mut newer = encode(&row);
    newer[0] = 3;
    assert_eq!(decode::<Row>(&newer), Err(CodecError::UnknownVersion { record: "RowV1", version: 3 }));
    let mut strange = encode(&row);
    *strange.last_mut().unwrap() = 2;
    assert_eq!(decode::<Row>(&strange), Err(CodecError::Invalid("Kind")));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What is on disks already. A difference here is a difference there.
#[test]
fn persisted_encodings() {
    let mut table = String::new();
    let mut line = |what: &str, bytes: Vec<u8>| writeln!(table, "{what}: {}", hex(&bytes)).unwrap();
    line("()", encode(&()));
    line("true", encode(&true));
    line("0u64", encode(&0u64));
    line("255u32", encode(&255u32));
    line("256u64", encode(&256u64));
    line("u64::MAX", encode(&u64::MAX));
    line("-1i64", encode(&-1i64));
    line("0i64", encode(&0i64));
    line("-256i64", encode(&-256i64));
    line("i64::MIN", encode(&i64::MIN));
    line("text a, zero, b", encode(&"a\0b".to_owned()));
    line("bytes ff 00", encode(&vec![0xFFu8, 0]));
    line("tail a, zero, b", encode(&Tail("a\0b".to_owned())));
    line("none, some(7u8)", encode(&(None::<u8>, Some(7u8))));
    line("list 1, 2", encode(&vec![1u64, 2]));
    line("map 1 to true", encode(&BTreeMap::from([(1u64, true)])));
    line("position", encode(&Position::of_commit(3 << 48 | 5, 6)));
    line("user", encode(&OwnedUserId::try_from("@a:b.c").unwrap()));
    line("room", encode(&OwnedRoomId::try_from("!a:b.c").unwrap()));
    line("event", encode(&OwnedEventId::try_from("$a").unwrap()));
    line("server", encode(&OwnedServerName::try_from("b.c:8448").unwrap()));
    line("device", encode(&OwnedDeviceId::from("D")));
    line("room version", encode(&RoomVersionId::V12));
    line("record", encode(&Row { name: "n".to_owned(), level: Some(-1), kind: Kind::New }));
    line("identity", encode(&crate::meta::Identity { database_id: [7; 16], restore_generation: 2 }));
    line("counter", encode(&crate::batch::Counter(-5)));
    insta::assert_snapshot!(table);
}
