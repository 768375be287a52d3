//! Which rooms a request is about: the windows of its lists, and its subscriptions.
//!
//! Owns: filtering and cutting a user's order, what is wanted of a room that several of them have. Does not own: the order, what is told of a room.
//!
//! Invariants: one pass over the order for each list, in memory. A room that the user has left is in it only until the client has been told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plop_rooms::StoreFault;
use plop_state_store::RoomNumber;
use ruma::OwnedRoomId;

use super::connection::Connection;
use super::order::{Listed, Standing, UserOrder};
use super::request::{Filters, List, RoomConfig, Scope, SlidingRequest};
use super::spaces;
use crate::asking::Asking;

/// The lists that have a room in a window, a bit for each; [`SUBSCRIBED`] for a subscription.
pub type Mask = u128;

/// The room is subscribed to.
pub const SUBSCRIBED: Mask = 1 << 127;

/// What is wanted of a room.
#[derive(Debug)]
pub struct Wanted {
    pub config: RoomConfig,
    /// Of the wishes for state.
    pub wishes: u64,
}

/// A request with its rooms by number.
pub struct Asked<'a> {
    pub request: &'a SlidingRequest,
    pub subscriptions: BTreeMap<RoomNumber, &'a RoomConfig>,
}

/// The rooms of a request.
pub struct Windows {
    pub order: Arc<UserOrder>,
    /// The rooms of each list, in windows or not.
    pub counts: Vec<u64>,
    /// For each room of the order.
    pub masks: Vec<Mask>,
}

/// What the filters ask that is not in the order.
struct Answers {
    direct: Arc<BTreeSet<RoomNumber>>,
    tags: BTreeMap<RoomNumber, BTreeSet<String>>,
    /// Of each list that asks for it.
    spaces: Vec<Option<BTreeSet<RoomNumber>>>,
}

impl Windows {
    /// The rooms in the windows, and those that are subscribed to.
    pub async fn cut(
        asking: &Asking,
        asked: &Asked<'_>,
        order: Arc<UserOrder>,
        direct: Arc<BTreeSet<RoomNumber>>,
        connection: &Connection,
        came_with: u64,
    ) -> Result<Self, StoreFault> {
        let lists = &asked.request.lists;
        let answers = Answers::of(asking, lists, &order, direct).await?;
        let mut counts = vec![0; lists.len()];
        let mut masks = Vec::with_capacity(order.listed.len());
        for listed in &order.listed {
            masks.push(if is_there(listed, connection, came_with) {
                let lists = of_lists(lists, &mut counts, listed, &answers);
                lists | if asked.subscriptions.contains_key(&listed.room) { SUBSCRIBED } else { 0 }
            } else {
                0
            });
        }
        Ok(Self { order, counts, masks })
    }

    /// The rooms in windows or subscribed to, the most active first.
    pub fn rooms(&self) -> impl Iterator<Item = (&Listed, Mask)> {
        self.order.listed.iter().zip(self.masks.iter().copied()).filter(|(_, mask)| *mask != 0)
    }
}

/// Whether a room is among the user's for this client.
fn is_there(listed: &Listed, connection: &Connection, came_with: u64) -> bool {
    match listed.standing {
        Standing::Joined => listed.is_here,
        Standing::Invited | Standing::Knocking | Standing::ThrownOut => true,
        Standing::Gone => {
            connection.sent(listed.room, came_with).is_some_and(|sent| sent.position < listed.row.position)
        }
    }
}

fn of_lists(lists: &[(String, List)], counts: &mut [u64], listed: &Listed, answers: &Answers) -> Mask {
    let mut mask = 0;
    for (index, ((_, list), count)) in lists.iter().zip(counts).enumerate() {
        if answers.keep(listed, &list.filters, index) {
            if list.has(*count) {
                mask |= 1 << index;
            }
            *count += 1;
        }
    }
    mask
}

impl Answers {
    async fn of(
        asking: &Asking,
        lists: &[(String, List)],
        order: &UserOrder,
        direct: Arc<BTreeSet<RoomNumber>>,
    ) -> Result<Self, StoreFault> {
        let shared = &asking.shared;
        let mut tags = BTreeMap::new();
        if lists.iter().any(|(_, list)| list.filters.has_tags()) {
            let ids = shared.ids.of(order.listed.iter().map(|listed| listed.room)).await?;
            let moved = order.rooms.newest();
            let labels = &shared.sliding.labels;
            let by_id = labels.tags(asking.user(), &shared.changes, moved, ids.values().cloned()).await?;
            let tags_of = |(room, id)| Some((room, by_id.get(&id)?.clone()));
            tags = ids.into_iter().filter_map(tags_of).collect();
        }
        let mut spaces = Vec::with_capacity(lists.len());
        for (_, list) in lists {
            spaces.push(match &list.filters.spaces {
                Some(wanted) => Some(spaces::children(asking, &order.rooms, wanted).await?),
                None => None,
            });
        }
        Ok(Self { direct, tags, spaces })
    }

    /// Whether a list has a room.
    fn keep(&self, listed: &Listed, filters: &Filters, list: usize) -> bool {
        let Filters { is_dm, is_encrypted, is_invited, room_types, not_room_types, tags, not_tags, .. } =
            filters;
        let is = |wanted: &Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
        let has_type = |types: &BTreeSet<Option<String>>| {
            types.iter().any(|wanted| wanted.as_deref() == listed.facts.room_type.as_deref())
        };
        let has_tag = |wanted: &BTreeSet<String>| {
            self.tags.get(&listed.room).is_some_and(|tags| !tags.is_disjoint(wanted))
        };
        let in_space = || match self.spaces.get(list) {
            Some(Some(children)) => children.contains(&listed.room),
            _ => true,
        };
        is(is_dm, self.direct.contains(&listed.room))
            && is(is_encrypted, listed.facts.is_encrypted)
            && is(is_invited, listed.standing == Standing::Invited)
            && room_types.as_ref().is_none_or(has_type)
            && (not_room_types.is_empty() || !has_type(not_room_types))
            && tags.as_ref().is_none_or(has_tag)
            && (not_tags.is_empty() || !has_tag(not_tags))
            && in_space()
    }
}

/// What is wanted of rooms by the lists that have them, each union made once.
pub struct Wishes<'a> {
    asked: &'a Asked<'a>,
    made: BTreeMap<(Mask, Option<RoomNumber>), Arc<Wanted>>,
}

impl<'a> Wishes<'a> {
    pub fn new(asked: &'a Asked<'a>) -> Self {
        Self { asked, made: BTreeMap::new() }
    }

    /// What is wanted of a room.
    pub fn of(&mut self, room: RoomNumber, mask: Mask) -> Arc<Wanted> {
        let subscribed = Some(room).filter(|_| mask & SUBSCRIBED != 0);
        let asked = self.asked;
        let make = || {
            let lists = asked.request.lists.iter().enumerate();
            let lists =
                lists.filter(|(index, _)| mask & (1 << index) != 0).map(|(_, (_, list))| &list.config);
            let all = lists.chain(subscribed.and_then(|room| asked.subscriptions.get(&room).copied()));
            let union = all.fold(None, |union: Option<RoomConfig>, config| {
                Some(union.map_or_else(|| config.clone(), |union| union.and(config)))
            });
            let config = union.unwrap_or_default();
            Arc::new(Wanted { wishes: config.state.hash(), config })
        };
        Arc::clone(self.made.entry((mask, subscribed)).or_insert_with(make))
    }
}

/// Which rooms an extension tells of.
pub struct InScope {
    lists: Mask,
    subscriptions: Option<BTreeSet<RoomNumber>>,
}

impl InScope {
    pub fn new(scope: &Scope, asked: &Asked<'_>, ids: &BTreeMap<RoomNumber, OwnedRoomId>) -> Self {
        let lists = asked.request.lists.iter().enumerate().filter(|(_, (name, _))| scope.lists.has(name));
        let is_wanted = |room: &RoomNumber| ids.get(room).is_some_and(|id| scope.rooms.has(id));
        let subscriptions = match scope.rooms {
            super::request::Names::All => None,
            super::request::Names::Of(_) => {
                Some(asked.subscriptions.keys().copied().filter(is_wanted).collect())
            }
        };
        Self { lists: lists.fold(0, |mask, (index, _)| mask | 1 << index), subscriptions }
    }

    /// Whether a room is one of them.
    pub fn has(&self, room: RoomNumber, mask: Mask) -> bool {
        let is_subscribed = mask & SUBSCRIBED != 0;
        mask & self.lists != 0
            || is_subscribed && self.subscriptions.as_ref().is_none_or(|rooms| rooms.contains(&room))
    }
}
