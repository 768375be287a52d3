//! The rules of each room version, as flags.
//!
//! Owns: which room versions this server knows (1 to 12, and those of proposals) and what differs between them. Code asks a flag, never the
//! version's number.
//!
//! Does not own: what the flags lead to; that is in the modules that read them.

use std::sync::LazyLock;

use plop_base::limits::MAX_SAFE_INT;
use ruma::{RoomVersionId, room_version_rules::RoomVersionRules};

use crate::json::NumberRule;

/// Everything that depends on the version of a room.
#[derive(Debug)]
pub struct Rules {
    /// The version itself, to show and to store; not to compare.
    pub version: RoomVersionId,
    /// The differences that ruma's types carry.
    pub spec: RoomVersionRules,
    /// Which numbers an event may hold (version 6: strict canonical JSON).
    pub numbers: NumberRule,
    /// Largest `depth` of an event: 2^63 - 1, and 2^53 - 1 since version 6.
    pub max_depth: u64,
    /// Whether a state key may have more behind its owner's id, and whoever has more power than the owner may set it, too (MSC3757).
    pub owned_state: bool,
}

/// The rules of a room version, or `None` for one that this server does not know. There is no default: an event of
/// an unknown version cannot be judged.
pub fn rules(version: &RoomVersionId) -> Option<&'static Rules> {
    ALL.iter().chain(PROPOSED.iter()).find(|rules| rules.version == *version)
}

/// Every released version, oldest first.
pub static ALL: [Rules; 12] = [
    lenient(RoomVersionId::V1, RoomVersionRules::V1),
    lenient(RoomVersionId::V2, RoomVersionRules::V2),
    lenient(RoomVersionId::V3, RoomVersionRules::V3),
    lenient(RoomVersionId::V4, RoomVersionRules::V4),
    lenient(RoomVersionId::V5, RoomVersionRules::V5),
    strict(RoomVersionId::V6, RoomVersionRules::V6),
    strict(RoomVersionId::V7, RoomVersionRules::V7),
    strict(RoomVersionId::V8, RoomVersionRules::V8),
    strict(RoomVersionId::V9, RoomVersionRules::V9),
    strict(RoomVersionId::V10, RoomVersionRules::V10),
    strict(RoomVersionId::V11, RoomVersionRules::V11),
    strict(RoomVersionId::V12, RoomVersionRules::V12),
];

/// Versions of proposals, which nobody gets without asking for them.
pub static PROPOSED: LazyLock<Vec<Rules>> = LazyLock::new(|| {
    let owned_state = RoomVersionId::try_from("org.matrix.msc3757.10");
    let rules = |version| Rules { owned_state: true, ..strict(version, RoomVersionRules::V10) };
    owned_state.map(rules).into_iter().collect()
});

const fn lenient(version: RoomVersionId, spec: RoomVersionRules) -> Rules {
    Rules { version, spec, numbers: NumberRule::Lenient, max_depth: i64::MAX as u64, owned_state: false }
}

const fn strict(version: RoomVersionId, spec: RoomVersionRules) -> Rules {
    Rules { version, spec, numbers: NumberRule::Strict, max_depth: MAX_SAFE_INT, owned_state: false }
}

#[cfg(test)]
mod tests;
