//! Properties of every resolution, over random histories.

use proptest::prelude::*;
use ruma::RoomVersionId;

use super::{
    history::{History, Step, histories},
    room::State,
};

fn versions() -> impl Strategy<Value = RoomVersionId> {
    prop::sample::select(vec![
        RoomVersionId::V1,
        RoomVersionId::V2,
        RoomVersionId::V6,
        RoomVersionId::V10,
        RoomVersionId::V11,
        RoomVersionId::V12,
    ])
}

/// Versions whose rules ruma's resolution has in full.
fn versions_of_ruma() -> impl Strategy<Value = RoomVersionId> {
    prop::sample::select(vec![RoomVersionId::V6, RoomVersionId::V10, RoomVersionId::V11, RoomVersionId::V12])
}

fn played(version: RoomVersionId, steps: &[Step]) -> (History, Vec<Vec<State>>) {
    let history = History::play(version, steps);
    let forks = history.forks();
    (history, forks)
}

proptest! {
    #[test]
    fn equals_ruma(version in versions_of_ruma(), steps in histories()) {
        let (history, sets) = played(version, &steps);
        // ruma refuses every join in a room without join rules, Synapse and we take them as `invite`.
        prop_assume!(history.every_join_has_join_rules());
        for forks in sets {
            prop_assert_eq!(history.room.resolved(&forks), history.room.resolved_by_ruma(&forks));
        }
    }

    #[test]
    fn b3_72_the_order_of_forks_does_not_matter(version in versions(), steps in histories(), turn in 0_usize..6) {
        let (history, sets) = played(version, &steps);
        for mut forks in sets {
            let resolved = history.room.resolved(&forks);
            forks.reverse();
            prop_assert_eq!(&history.room.resolved(&forks), &resolved);
            let turn = turn % forks.len();
            forks.rotate_left(turn);
            prop_assert_eq!(&history.room.resolved(&forks), &resolved);
            // A fork that is there twice is one fork.
            forks.push(forks[0].clone());
            prop_assert_eq!(&history.room.resolved(&forks), &resolved);
        }
    }

    #[test]
    fn one_fork_is_its_own_resolution(version in versions(), steps in histories()) {
        let (history, sets) = played(version, &steps);
        for fork in sets.into_iter().flatten() {
            prop_assert_eq!(&history.room.resolved(std::slice::from_ref(&fork)), &fork);
            prop_assert_eq!(&history.room.resolved(&[fork.clone(), fork.clone()]), &fork);
        }
    }

    /// Resolving the same forks and their resolution again.
    #[test]
    fn a_resolved_state_resolves_to_itself(version in versions(), steps in histories()) {
        let (history, sets) = played(version, &steps);
        for forks in sets {
            let resolved = history.room.resolved(&forks);
            prop_assert_eq!(&history.room.resolved(&[resolved.clone(), resolved.clone()]), &resolved);
        }
    }
}
