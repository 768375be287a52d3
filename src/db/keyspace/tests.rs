//! The registry refuses what cannot be told apart; ids are golden.

use super::*;

fn info(id: u16, name: &'static str) -> KeyspaceInfo {
    KeyspaceInfo { id, name, profile: Profile::Scan, doc: "", cursor_of: None, check_row: |_, _| Ok(()) }
}

#[test]
fn a_registry_refuses_what_cannot_be_told_apart() {
    let own = [info(1, "own")];
    let refused = |public: Vec<KeyspaceInfo>| Registry::new(&own, public).err();
    assert_eq!(refused(vec![info(10, "a"), info(11, "b")]), None);
    assert_eq!(refused(vec![info(10, "a"), info(10, "b")]), Some(RegistryError::SameId("a", "b")));
    assert_eq!(refused(vec![info(10, "a"), info(11, "a")]), Some(RegistryError::SameName("a")));
    assert_eq!(refused(vec![info(10, "own")]), Some(RegistryError::SameName("own")));
    assert_eq!(refused(vec![info(9, "a")]), Some(RegistryError::ReservedId("a")));
    assert_eq!(
        refused(vec![info(u16::MAX, "a")]),
        Some(RegistryError::ReservedId("a")),
        "nothing lies above it"
    );
}

#[test]
fn the_golden_table_is_in_the_order_of_ids() {
    assert_eq!(golden_table(&[info(12, "b"), info(3, "a")]), "3 a Scan\n12 b Scan\n");
}

/// The ids of this crate are on disks: a difference here is a difference there.
#[test]
fn own_keyspaces_are_golden() {
    insta::assert_snapshot!(golden_table(crate::meta::OWN_KEYSPACES), @r"
    1 identity Point
    2 last_commit Counter
    4 schema Counter
    ");
}

#[test]
fn the_end_of_a_prefix_is_above_everything_in_it() {
    assert_eq!(after_prefix(&[1, 2]), [1, 3]);
    assert_eq!(after_prefix(&[1, 0xFF, 0xFF]), [2]);
}
