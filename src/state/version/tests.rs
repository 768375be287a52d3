//! The table of room versions.

use ruma::RoomVersionId;

use crate::fixtures::{all, number};
use crate::{
    json::NumberRule,
    version::{ALL, PROPOSED, rules},
};

#[test]
fn b3_70_an_unknown_version_has_no_rules() {
    for unknown in ["0", "13", "org.matrix.msc2870", "012", "1.2"] {
        assert!(rules(&RoomVersionId::try_from(unknown).unwrap()).is_none(), "{unknown}");
    }
}

#[test]
fn every_version_is_its_own_entry() {
    let numbers: Vec<u8> = all().map(number).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<u8>>());
    for entry in &ALL {
        assert_eq!(rules(&entry.version).unwrap().version, entry.version);
    }
}

#[test]
fn numbers_and_depth_are_strict_since_version_6() {
    for rules in all() {
        let strict = number(rules) >= 6;
        assert_eq!(rules.numbers == NumberRule::Strict, strict);
        assert_eq!(rules.spec.authorization.strict_canonical_json, strict, "ruma agrees");
        assert_eq!(rules.max_depth, if strict { (1 << 53) - 1 } else { i64::MAX as u64 });
    }
}

#[test]
fn state_is_owned_in_the_version_that_proposes_it_only() {
    let proposed: Vec<&str> = PROPOSED.iter().map(|rules| rules.version.as_str()).collect();
    assert_eq!(proposed, ["org.matrix.msc3757.10"]);
    assert!(all().all(|rules| !rules.owned_state));
    let owned = rules(&PROPOSED[0].version).unwrap();
    assert!(owned.owned_state && owned.numbers == NumberRule::Strict);
}
