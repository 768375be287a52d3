//! The state that goes with a room: what the client wants of it and does not have.
//!
//! Owns: which state events are given, whole or what changed; what else changed with them. Does not own: which are wanted ([`super::required_state`]), the
//! timeline.
//!
//! Invariants: the cost of changes follows their number; what is wanted by name is looked up by name. Of no state more than a page is in memory as events.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use plop_rooms::reader::state::StatePages;
use plop_rooms::{RoomEvent, StoreFault};
use plop_state::StateKey;
use plop_state_store::EventNumber;
use plop_state_store::tree::Root;
use ruma::OwnedUserId;

use super::required_state::{MEMBER, StateWishes};
use crate::scene::{Scene, member};
use crate::sent_members::Sending;
use crate::timeline::Stretch;

/// Events of a state that are loaded at once.
const PAGE: usize = 200;

/// State events, page by page.
#[derive(Debug, Default)]
pub struct RequiredEvents {
    numbers: VecDeque<EventNumber>,
    /// After them those of a state that are wanted and were not before.
    rest: Option<Rest>,
    /// Entries that are in the state no more: type and state key.
    pub gone: Vec<(String, String)>,
}

#[derive(Debug)]
struct Rest {
    pages: StatePages,
    wanted: StateWishes,
    had: Option<StateWishes>,
    told: BTreeSet<EventNumber>,
}

impl RequiredEvents {
    /// Some events of the room.
    pub fn listed(events: impl Iterator<Item = EventNumber>) -> Self {
        Self { numbers: events.collect(), ..Self::default() }
    }

    /// Whether there are none, as far as can be said without reading a state.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.rest.is_none() && self.gone.is_empty()
    }

    /// The next events, perhaps none; `None` at the end.
    pub async fn next(&mut self, scene: &Scene<'_>) -> Result<Option<Vec<Arc<RoomEvent>>>, StoreFault> {
        if !self.numbers.is_empty() {
            let page = self.numbers.len().min(PAGE);
            let numbers: Vec<EventNumber> = self.numbers.drain(..page).collect();
            return Ok(Some(scene.events(&numbers).await?));
        }
        let Some(rest) = &mut self.rest else { return Ok(None) };
        let events = rest.pages.next(&scene.reader).await?;
        let Rest { wanted, had, told, .. } = rest;
        let is_given = |event: &Arc<RoomEvent>| {
            let kind = event.pdu.type_name();
            let is_new =
                |key| wanted.matches(kind, key) && !had.as_ref().is_some_and(|had| had.matches(kind, key));
            !told.contains(&event.number) && event.pdu.state_key().is_some_and(is_new)
        };
        Ok(events.map(|events| events.into_iter().filter(is_given).collect()))
    }
}

/// What is to be told of a room's state.
pub struct Question<'a> {
    /// What the client has; [`Root::EMPTY`]: nothing.
    pub since: Root,
    pub end: Root,
    pub wanted: &'a StateWishes,
    /// The wishes that the client's state was sent with.
    pub had: Option<&'a StateWishes>,
    /// What the device has of members that were loaded lazily.
    pub sending: Option<&'a Sending>,
}

/// What changed in a room's state besides what is wanted of it.
#[derive(Debug, Default)]
pub struct AboutRoom {
    pub name: bool,
    pub avatar: bool,
    pub members: bool,
}

impl Question<'_> {
    /// Whether the client gets all of what it wants.
    fn is_whole(&self) -> bool {
        self.since == Root::EMPTY
    }

    /// The state events to give.
    pub async fn answer(
        &self,
        scene: &Scene<'_>,
        stretch: &Stretch,
    ) -> Result<(RequiredEvents, AboutRoom), StoreFault> {
        let mut required = RequiredEvents::default();
        let mut about = AboutRoom { name: true, avatar: true, members: true };
        let mut numbers = BTreeSet::new();
        if !self.is_whole() {
            about = self.changed(scene, stretch, &mut numbers, &mut required.gone).await?;
        }
        if self.wanted.lazy_members() {
            self.members(scene, stretch, &mut numbers).await?;
        }
        let had = self.had.filter(|_| !self.is_whole());
        let is_wider = had.is_none_or(|had| self.wanted.wishes.iter().any(|wish| !had.wishes.contains(wish)));
        if self.is_whole() || is_wider {
            self.wider(scene, had, &mut numbers, &mut required.rest).await?;
        }
        required.numbers = numbers.into_iter().collect();
        Ok((required, about))
    }

    /// What is different from what the client has.
    async fn changed(
        &self,
        scene: &Scene<'_>,
        stretch: &Stretch,
        numbers: &mut BTreeSet<EventNumber>,
        gone: &mut Vec<(String, String)>,
    ) -> Result<AboutRoom, StoreFault> {
        let mut about = AboutRoom::default();
        let all_members = self.wanted.lazy_members() && !stretch.limited;
        let differences = scene.diff(self.since, self.end).await?;
        for part in differences.chunks(PAGE) {
            let looked_at: Vec<EventNumber> =
                part.iter().filter_map(|found| found.after.or(found.before)).collect();
            for (found, event) in part.iter().zip(scene.events(&looked_at).await?) {
                let (kind, Some(key)) = (event.pdu.type_name(), event.pdu.state_key()) else { continue };
                about.name |= kind == "m.room.name" && key.is_empty();
                about.avatar |= kind == "m.room.avatar" && key.is_empty();
                about.members |= kind == MEMBER;
                if !(self.wanted.matches(kind, key) || all_members && kind == MEMBER) {
                    continue;
                }
                match found.after {
                    Some(number) => {
                        numbers.insert(number);
                    }
                    None => gone.push((kind.to_owned(), key.to_owned())),
                }
            }
        }
        Ok(about)
    }

    /// The members that the timeline needs and the device does not have.
    async fn members(
        &self,
        scene: &Scene<'_>,
        stretch: &Stretch,
        numbers: &mut BTreeSet<EventNumber>,
    ) -> Result<(), StoreFault> {
        let mut users: BTreeSet<&str> =
            stretch.events.iter().map(|event| event.pdu.sender().as_str()).collect();
        users.extend(stretch.events.iter().filter_map(|event| member(event)));
        let keys: Vec<StateKey> = users.into_iter().map(StateKey::member).collect();
        let found = lookup(scene, self.end, &keys).await?;
        let sent = self.sending.filter(|_| !self.is_whole());
        numbers.extend(
            found.into_iter().filter(|number| sent.is_none_or(|sent| !sent.has(scene.number(), *number))),
        );
        Ok(())
    }

    /// All that is wanted and was not before.
    async fn wider(
        &self,
        scene: &Scene<'_>,
        had: Option<&StateWishes>,
        numbers: &mut BTreeSet<EventNumber>,
        rest: &mut Option<Rest>,
    ) -> Result<(), StoreFault> {
        let lookup_of = self.wanted.lookup();
        let keys: Vec<StateKey> = lookup_of
            .keys
            .into_iter()
            .filter(|key| {
                let was_wanted = had.is_some_and(|had| had.matches(key.kind(), key.key()));
                self.wanted.matches(key.kind(), key.key()) && !was_wanted
            })
            .collect();
        numbers.extend(lookup(scene, self.end, &keys).await?);
        let pages = if lookup_of.everything {
            StatePages::of(self.end)
        } else if lookup_of.without_members {
            StatePages::listed(scene.reader.without_members(self.end).await?)
        } else {
            return Ok(());
        };
        let (wanted, had, told) = (self.wanted.clone(), had.cloned(), numbers.clone());
        *rest = Some(Rest { pages, wanted, had, told });
        Ok(())
    }
}

/// Some entries of a state, those that are there.
async fn lookup(scene: &Scene<'_>, state: Root, keys: &[StateKey]) -> Result<Vec<EventNumber>, StoreFault> {
    if keys.is_empty() || state == Root::EMPTY {
        return Ok(Vec::new());
    }
    let (tree, grove) = (scene.rooms.states(), scene.view.grove());
    let numbers = tree.get_many(&scene.snapshot, grove, state, keys).await?;
    Ok(numbers.into_iter().flatten().collect())
}

/// A text in some state events with an empty state key: what a room is called, say. An empty one counts as none.
pub async fn texts(
    scene: &Scene<'_>,
    state: Root,
    wanted: &[(&str, &str)],
) -> Result<BTreeMap<String, String>, StoreFault> {
    let keys: Vec<StateKey> = wanted.iter().map(|(kind, _)| StateKey::new(kind, "")).collect();
    let numbers = lookup(scene, state, &keys).await?;
    let mut found = BTreeMap::new();
    for event in scene.events(&numbers).await? {
        let kind = event.pdu.type_name();
        let content = event.pdu.content_object();
        let member = wanted.iter().find(|(wanted, _)| *wanted == kind).map(|(_, member)| *member);
        let text = member.and_then(|member| content.get(member)?.as_str());
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            found.insert(kind.to_owned(), text.to_owned());
        }
    }
    Ok(found)
}

/// Users that are heroes, with their profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hero {
    pub user: OwnedUserId,
    pub displayname: Option<String>,
    pub avatar_url: Option<String>,
}
