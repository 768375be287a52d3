//! The state that goes with a timeline: what the client needs besides it.
//!
//! Owns: which state events are given, at either end of the timeline, all or what changed, with or without lazily loaded members. Does not own: the
//! timeline.
//!
//! Invariants: the cost of changes follows their number. Of no state more than a page is in memory as events. What the events of the timeline do not
//! tell (changes of a resolution, of events that were left out) is told by the state.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use plop_rooms::reader::state::StatePages;
use plop_rooms::{RoomEvent, StoreFault};
use plop_state::StateKey;
use plop_state_store::tree::{Difference, Root};
use plop_state_store::{EventNumber, KeyHash};
use ruma::OwnedUserId;

use crate::request::StateAt;
use crate::scene::{Scene, member};
use crate::sent_members::Sending;
use crate::timeline::Stretch;

/// Events of a state that are loaded at once.
const PAGE: usize = 200;

/// Whose member events are given.
pub enum Members<'a> {
    /// Everybody's.
    All,
    /// Those of these users, without what the device has been sent.
    Of { users: BTreeSet<OwnedUserId>, sent: Option<&'a Sending> },
}

/// Events of a state, page by page.
#[derive(Debug, Default)]
pub struct StateEvents {
    numbers: VecDeque<EventNumber>,
    /// All of a state after them, but for some that they took the place of.
    all: Option<(StatePages, BTreeSet<EventNumber>)>,
}

impl StateEvents {
    fn of(numbers: impl IntoIterator<Item = EventNumber>) -> Self {
        Self { numbers: numbers.into_iter().collect(), all: None }
    }

    /// Whether they are one page.
    pub fn is_short(&self) -> bool {
        self.all.is_none() && self.numbers.len() <= PAGE
    }

    /// The next events, perhaps none; `None` at the end.
    pub async fn next(&mut self, scene: &Scene<'_>) -> Result<Option<Vec<Arc<RoomEvent>>>, StoreFault> {
        if !self.numbers.is_empty() {
            let page = self.numbers.len().min(PAGE);
            let numbers: Vec<EventNumber> = self.numbers.drain(..page).collect();
            return Ok(Some(scene.events(&numbers).await?));
        }
        let Some((pages, replaced)) = &mut self.all else { return Ok(None) };
        let events = pages.next(&scene.reader).await?;
        let is_kept = |event: &Arc<RoomEvent>| !replaced.contains(&event.number);
        Ok(events.map(|events| events.into_iter().filter(is_kept).collect()))
    }
}

/// All of the state.
pub async fn full(
    scene: &Scene<'_>,
    stretch: &Stretch,
    at: StateAt,
    members: &Members<'_>,
) -> Result<StateEvents, StoreFault> {
    let root = root(stretch, at);
    let untold = untold(scene, stretch, at).await?;
    let replaced: BTreeSet<EventNumber> = untold.iter().filter_map(|found| found.before).collect();
    let mut events = StateEvents::of(untold.iter().filter_map(|found| found.after));
    match members {
        Members::All => events.all = Some((StatePages::of(root), replaced)),
        Members::Of { users, .. } => {
            let list = scene.reader.without_members(root).await?;
            let members = member_events(scene, root, &member_keys(users)).await?;
            let all = list.into_iter().chain(members);
            events.numbers.extend(all.filter(|number| !replaced.contains(number)));
        }
    }
    Ok(events)
}

/// What changed since the client's position. With lazily loaded members also those of `members`, whether they changed or not.
pub async fn changes(
    scene: &Scene<'_>,
    stretch: &Stretch,
    at: StateAt,
    members: &Members<'_>,
) -> Result<StateEvents, StoreFault> {
    let root = root(stretch, at);
    let before = scene.diff(stretch.states.since, root).await?;
    let untold = untold(scene, stretch, at).await?;
    // What is newer takes the place of what is older. An entry that a state does not have any more cannot be told.
    let mut changed: BTreeMap<KeyHash, EventNumber> = BTreeMap::new();
    changed.extend(before.iter().chain(&untold).filter_map(|found| Some((found.key, found.after?))));
    let mut needed = Vec::new();
    if let Members::Of { users, sent } = members {
        let mut keys = member_keys(users);
        keys.retain(|key| !changed.contains_key(&scene.rooms.states().key_hash(key)));
        needed = member_events(scene, root, &keys).await?;
        needed.retain(|number| sent.is_none_or(|sent| !sent.has(scene.number(), *number)));
    }
    Ok(StateEvents::of(changed.into_values().chain(needed)))
}

/// The state that is given, but for what is untold.
fn root(stretch: &Stretch, at: StateAt) -> Root {
    match at {
        StateAt::Start => stretch.states.start,
        StateAt::End | StateAt::EndUnstable => stretch.states.end,
    }
}

/// What changed along the timeline and is told by none of its events.
async fn untold(scene: &Scene<'_>, stretch: &Stretch, at: StateAt) -> Result<Vec<Difference>, StoreFault> {
    if at != StateAt::Start {
        return Ok(Vec::new());
    }
    let told: BTreeSet<EventNumber> = stretch.events.iter().map(|event| event.number).collect();
    let mut found = scene.diff(stretch.states.start, stretch.states.end).await?;
    found.retain(|found| found.after.is_some_and(|event| !told.contains(&event)));
    Ok(found)
}

/// The keys of some users' member events.
fn member_keys(users: &BTreeSet<OwnedUserId>) -> Vec<StateKey> {
    users.iter().map(|user| StateKey::member(user.as_str())).collect()
}

/// Some member events of a state, those that are there.
async fn member_events(
    scene: &Scene<'_>,
    state: Root,
    keys: &[StateKey],
) -> Result<Vec<EventNumber>, StoreFault> {
    let (tree, grove) = (scene.rooms.states(), scene.view.grove());
    let numbers = tree.get_many(&scene.snapshot, grove, state, keys).await?;
    Ok(numbers.into_iter().flatten().collect())
}

/// What changed about who is in the room.
#[derive(Default)]
pub struct AboutMembers {
    /// The members, or what the room is called.
    pub concerns_summary: bool,
    /// Who joined, or changed the profile.
    pub joined: BTreeSet<OwnedUserId>,
}

/// What changed along a timeline about who is in the room. Where the client has nothing of the room, everything would have.
pub async fn about_members(scene: &Scene<'_>, stretch: &Stretch) -> Result<AboutMembers, StoreFault> {
    let differences = scene.diff(stretch.states.since, stretch.states.end).await?;
    let mut about = AboutMembers::default();
    for part in differences.chunks(PAGE) {
        let numbers: Vec<EventNumber> =
            part.iter().filter_map(|difference| difference.after.or(difference.before)).collect();
        for event in scene.events(&numbers).await? {
            about.concerns_summary |=
                matches!(event.pdu.type_name(), "m.room.member" | "m.room.name" | "m.room.canonical_alias");
            let user = member(&event).and_then(|user| OwnedUserId::try_from(user).ok());
            about.joined.extend(user.filter(|user| scene.view.members.is_joined(user)));
        }
    }
    Ok(about)
}
