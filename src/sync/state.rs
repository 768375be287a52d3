//! The state that goes with a timeline: what the client needs besides it.
//!
//! Owns: which state events are given, at either end of the timeline, all or what changed, with or without lazily loaded members. Does not own: the
//! timeline.
//!
//! Invariants: the cost of changes follows their number. What the events of the timeline do not tell (changes of a resolution, of events that were left
//! out) is told by the state.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_rooms::event::RoomEvent;
use plop_rooms::operation::StoreFault;
use plop_state::StateKey;
use plop_state_store::EventNumber;
use plop_state_store::tree::Root;
use ruma::OwnedUserId;

use crate::request::StateAt;
use crate::scene::{Scene, member};
use crate::sent_members::Sending;
use crate::state_lists::StateLists;
use crate::timeline::Stretch;

/// Entries of a state that are read at once.
const PAGE: usize = 500;

/// Whose member events are given.
pub enum Members<'a> {
    /// Everybody's.
    All,
    /// Those of these users, without what the device has been sent.
    Of { users: BTreeSet<OwnedUserId>, sent: Option<&'a Sending> },
}

/// All of the state.
pub async fn full(
    lists: &StateLists,
    scene: &Scene<'_>,
    stretch: &Stretch,
    at: StateAt,
    members: &Members<'_>,
) -> Result<Vec<Arc<RoomEvent>>, StoreFault> {
    let root = match at {
        StateAt::Start => stretch.states.start,
        StateAt::End | StateAt::EndUnstable => stretch.states.end,
    };
    let mut events = match members {
        Members::All => entries(scene, root).await?,
        Members::Of { users, .. } => {
            let mut events = scene.events(&lists.without_members(scene, root).await?.numbers()).await?;
            let keys: Vec<StateKey> = users.iter().map(|user| StateKey::member(user.as_str())).collect();
            events.extend(scene.reader.state_events(root, &keys).await?);
            events
        }
    };
    if at == StateAt::Start {
        let told = numbers(&stretch.events);
        let rest = changed(scene, stretch.states.start, stretch.states.end, |number| !told.contains(&number))
            .await?;
        replace(&mut events, rest);
    }
    Ok(events)
}

/// What changed since the client's position. With lazily loaded members also those of `members`, whether they changed or not.
pub async fn changes(
    scene: &Scene<'_>,
    stretch: &Stretch,
    at: StateAt,
    members: &Members<'_>,
) -> Result<Vec<Arc<RoomEvent>>, StoreFault> {
    let states = stretch.states;
    let (root, mut events) = match at {
        StateAt::Start => {
            let told = numbers(&stretch.events);
            let mut events = changed(scene, states.since, states.start, |_| true).await?;
            let rest = changed(scene, states.start, states.end, |number| !told.contains(&number)).await?;
            replace(&mut events, rest);
            (states.start, events)
        }
        StateAt::End | StateAt::EndUnstable => {
            (states.end, changed(scene, states.since, states.end, |_| true).await?)
        }
    };
    if let Members::Of { users, sent } = members {
        let there: BTreeSet<&str> = events.iter().filter_map(|event| member(event)).collect();
        let missing = users.iter().filter(|user| !there.contains(user.as_str()));
        let keys: Vec<StateKey> = missing.map(|user| StateKey::member(user.as_str())).collect();
        let needed = scene.reader.state_events(root, &keys).await?.into_iter();
        let is_new = |event: &Arc<RoomEvent>| sent.is_none_or(|sent| !sent.has(scene.number(), event.number));
        events.extend(needed.filter(is_new));
    }
    Ok(events)
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

fn numbers(events: &[Arc<RoomEvent>]) -> BTreeSet<EventNumber> {
    events.iter().map(|event| event.number).collect()
}

/// Every event of a state.
async fn entries(scene: &Scene<'_>, root: Root) -> Result<Vec<Arc<RoomEvent>>, StoreFault> {
    let (tree, grove) = (&scene.core.state.tree, scene.view.grove());
    let mut events = Vec::new();
    let mut after = None;
    loop {
        let page = tree.scan(&scene.snapshot, grove, root, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(events) };
        after = Some(last.key);
        let numbers: Vec<EventNumber> = page.iter().map(|entry| entry.event).collect();
        events.extend(scene.events(&numbers).await?);
    }
}

/// The events that another state has in the place of others. An entry that it does not have any more cannot be told.
async fn changed(
    scene: &Scene<'_>,
    before: Root,
    after: Root,
    wanted: impl Fn(EventNumber) -> bool,
) -> Result<Vec<Arc<RoomEvent>>, StoreFault> {
    let differences = scene.diff(before, after).await?;
    let numbers: Vec<EventNumber> = differences
        .iter()
        .filter_map(|difference| difference.after)
        .filter(|number| wanted(*number))
        .collect();
    Ok(scene.events(&numbers).await?)
}

/// Puts events in the place of those with the same state key.
fn replace(events: &mut Vec<Arc<RoomEvent>>, by: Vec<Arc<RoomEvent>>) {
    if by.is_empty() {
        return;
    }
    let keys: BTreeSet<Option<StateKey>> = by.iter().map(|event| event.pdu.as_state()).collect();
    events.retain(|event| !keys.contains(&event.pdu.as_state()));
    events.extend(by);
}
