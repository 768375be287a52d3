//! Which rooms a request is about: the windows of its lists, and its subscriptions.
//!
//! Owns: filtering and cutting a user's order, what is wanted of a room that several of them have. Does not own: the order, what is told of a room.
//!
//! Invariants: one pass over the order for all lists, in memory, in which others get their turns. A room that the user has left is in it
//! only until the client has been told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plop_rooms::StoreFault;
use plop_state_store::RoomNumber;
use ruma::OwnedRoomId;

use super::connection::{Connection, MAX_WISHES};
use super::order::{Listed, ListedMembership, UserOrder};
use super::request::{
    Filters, List, MAX_DIFFERENT_WISHES, MAX_PATTERNS, MAX_WISHES_BYTES, RoomConfig, Scope, SlidingError,
    SlidingRequest,
};
use super::required_state::{RequiredState, StateWishes};
use super::spaces;
use crate::context::RequestContext;
use crate::turns::take_turns;

/// Rooms that are looked at before others get a turn.
const ROOMS_AT_ONCE: usize = 64;

/// The lists that have a room in a window, a bit for each; [`SUBSCRIBED`] for a subscription.
pub type Mask = u128;

/// The room is subscribed to.
pub const SUBSCRIBED: Mask = 1 << 127;

/// Some of the different wishes for state of a request, a bit for each.
type WishMask = u128;

const _: () = assert!(MAX_DIFFERENT_WISHES <= WishMask::BITS as usize);

/// What is wanted of a room.
#[derive(Debug)]
pub struct CombinedConfig {
    pub timeline_limit: u32,
    pub heroes: bool,
    pub state: Arc<CombinedState>,
}

/// Wishes for state that some rooms have in common.
#[derive(Debug)]
pub struct CombinedState {
    pub wishes: StateWishes,
    pub hash: u64,
}

/// A request with its rooms by number.
pub struct NumberedRequest<'a> {
    pub request: &'a SlidingRequest,
    pub subscriptions: BTreeMap<RoomNumber, &'a RoomConfig>,
    /// The different wishes for state.
    wishes: Vec<Arc<RequiredState>>,
    /// Those of each list.
    of_lists: Vec<WishMask>,
    of_subscriptions: BTreeMap<RoomNumber, WishMask>,
}

impl<'a> NumberedRequest<'a> {
    /// # Errors
    /// [`SlidingError::TooManyWishes`]
    pub fn new(
        request: &'a SlidingRequest,
        subscriptions: BTreeMap<RoomNumber, &'a RoomConfig>,
    ) -> Result<Self, SlidingError> {
        let mut different = Different::default();
        let lists = request.lists.iter().map(|(_, list)| different.mask(&list.config.state));
        let of_lists = lists.collect::<Result<_, _>>()?;
        let of_subscriptions =
            subscriptions.iter().map(|(room, config)| Ok((*room, different.mask(&config.state)?)));
        let of_subscriptions = of_subscriptions.collect::<Result<_, SlidingError>>()?;
        Ok(Self { request, subscriptions, wishes: different.wishes, of_lists, of_subscriptions })
    }

    fn union(&self, mask: WishMask) -> CombinedState {
        let wishes = self.wishes.iter().enumerate().filter(|(index, _)| mask & (1 << index) != 0);
        let wishes = StateWishes { wishes: wishes.map(|(_, wish)| Arc::clone(wish)).collect() };
        CombinedState { hash: wishes.hash(), wishes }
    }
}

/// The different wishes of a request, as far as it has been looked through.
#[derive(Default)]
struct Different {
    wishes: Vec<Arc<RequiredState>>,
    patterns: usize,
    bytes: usize,
}

impl Different {
    fn mask(&mut self, state: &StateWishes) -> Result<WishMask, SlidingError> {
        state.wishes.iter().try_fold(0, |mask, wish| Ok(mask | 1 << self.index(wish)?))
    }

    fn index(&mut self, wish: &Arc<RequiredState>) -> Result<usize, SlidingError> {
        if let Some(index) = self.wishes.iter().position(|known| known == wish) {
            return Ok(index);
        }
        self.patterns += wish.patterns();
        self.bytes += wish.bytes();
        let is_too_much = self.wishes.len() == MAX_DIFFERENT_WISHES
            || self.patterns > MAX_PATTERNS
            || self.bytes > MAX_WISHES_BYTES;
        if is_too_much {
            return Err(SlidingError::TooManyWishes);
        }
        self.wishes.push(Arc::clone(wish));
        Ok(self.wishes.len() - 1)
    }
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
        context: &RequestContext,
        asked: &NumberedRequest<'_>,
        order: Arc<UserOrder>,
        direct: Arc<BTreeSet<RoomNumber>>,
        connection: &Connection,
        came_with: u64,
    ) -> Result<Self, StoreFault> {
        let lists = &asked.request.lists;
        let answers = Answers::of(context, lists, &order, direct).await?;
        let mut counts = vec![0; lists.len()];
        let mut masks = Vec::with_capacity(order.listed.len());
        for (index, listed) in order.listed.iter().enumerate() {
            take_turns(index, ROOMS_AT_ONCE).await;
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
    match listed.membership {
        ListedMembership::Joined => listed.is_here,
        ListedMembership::Invited | ListedMembership::Knocking | ListedMembership::ThrownOut => true,
        ListedMembership::Gone => {
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
        context: &RequestContext,
        lists: &[(String, List)],
        order: &UserOrder,
        direct: Arc<BTreeSet<RoomNumber>>,
    ) -> Result<Self, StoreFault> {
        let shared = &context.shared;
        let (mut tags, mut ids) = (BTreeMap::new(), BTreeMap::new());
        let has_tags = lists.iter().any(|(_, list)| list.filters.has_tags());
        if has_tags || lists.iter().any(|(_, list)| list.filters.spaces.is_some()) {
            ids = shared.ids.of(order.listed.iter().map(|listed| listed.room)).await?;
        }
        if has_tags {
            let moved = order.rooms.newest();
            let labels = &shared.sliding.labels;
            let by_id = labels.tags(context.user(), &shared.changes, moved, ids.values().cloned()).await?;
            let tags_of = |(room, id): (&RoomNumber, &OwnedRoomId)| Some((*room, by_id.get(id)?.clone()));
            tags = ids.iter().filter_map(tags_of).collect();
        }
        let mut spaces = Vec::with_capacity(lists.len());
        for (_, list) in lists {
            spaces.push(match &list.filters.spaces {
                Some(wanted) => Some(spaces::children(context, &order.rooms, &ids, wanted).await?),
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
        let has_type = |types: &BTreeSet<Option<Arc<str>>>| types.contains(&listed.facts.room_type);
        let has_tag = |wanted: &BTreeSet<String>| {
            self.tags.get(&listed.room).is_some_and(|tags| !tags.is_disjoint(wanted))
        };
        let in_space = || match self.spaces.get(list) {
            Some(Some(children)) => children.contains(&listed.room),
            _ => true,
        };
        is(is_dm, self.direct.contains(&listed.room))
            && is(is_encrypted, listed.facts.is_encrypted)
            && is(is_invited, listed.membership == ListedMembership::Invited)
            && room_types.as_ref().is_none_or(has_type)
            && (not_room_types.is_empty() || !has_type(not_room_types))
            && tags.as_ref().is_none_or(has_tag)
            && (not_tags.is_empty() || !has_tag(not_tags))
            && in_space()
    }
}

/// What is wanted of rooms by the lists that have them. A union is a mask over the wishes of the request; each is made once.
pub struct CombinedConfigs<'a> {
    asked: &'a NumberedRequest<'a>,
    made: BTreeMap<(Mask, Option<RoomNumber>), Arc<CombinedConfig>>,
    unions: BTreeMap<WishMask, Arc<CombinedState>>,
}

impl<'a> CombinedConfigs<'a> {
    pub fn new(asked: &'a NumberedRequest<'a>) -> Self {
        Self { asked, made: BTreeMap::new(), unions: BTreeMap::new() }
    }

    /// What is wanted of a room.
    ///
    /// # Errors
    /// [`SlidingError::TooManyWishes`] where no connection could remember all of the unions.
    pub fn of(&mut self, room: RoomNumber, mask: Mask) -> Result<Arc<CombinedConfig>, SlidingError> {
        let subscribed = Some(room).filter(|_| mask & SUBSCRIBED != 0);
        if let Some(made) = self.made.get(&(mask, subscribed)) {
            return Ok(Arc::clone(made));
        }
        let Self { asked, .. } = self;
        let lists = asked.request.lists.iter().zip(&asked.of_lists).enumerate();
        let lists = lists.filter(|(index, _)| mask & (1 << index) != 0);
        let lists = lists.map(|(_, ((_, list), wishes))| (&list.config, *wishes));
        let of_room = subscribed
            .and_then(|room| Some((*asked.subscriptions.get(&room)?, *asked.of_subscriptions.get(&room)?)));
        let (mut timeline_limit, mut heroes, mut union) = (0, false, 0);
        for (config, wishes) in lists.chain(of_room) {
            timeline_limit = config.timeline_limit.max(timeline_limit);
            heroes |= config.heroes;
            union |= wishes;
        }
        let state = Arc::clone(self.unions.entry(union).or_insert_with(|| Arc::new(asked.union(union))));
        if self.unions.len() > MAX_WISHES {
            return Err(SlidingError::TooManyWishes);
        }
        let wanted = Arc::new(CombinedConfig { timeline_limit, heroes, state });
        self.made.insert((mask, subscribed), Arc::clone(&wanted));
        Ok(wanted)
    }
}

/// Which rooms an extension tells of.
pub struct InScope {
    lists: Mask,
    subscriptions: Option<BTreeSet<RoomNumber>>,
}

impl InScope {
    pub fn new(scope: &Scope, asked: &NumberedRequest<'_>, ids: &BTreeMap<RoomNumber, OwnedRoomId>) -> Self {
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

#[cfg(test)]
mod tests {
    use ruma::OwnedRoomId;

    use super::super::required_state::StatePattern;
    use super::*;

    /// A wish for so many patterns, of which no other one has any.
    fn config(name: usize, patterns: usize) -> RoomConfig {
        let pattern =
            |number| StatePattern { kind: Some(format!("{name}.{number}")), key: Some(String::new()) };
        let include = (0..patterns).map(pattern).collect();
        let wish = RequiredState { include, exclude: Vec::new(), lazy_members: false };
        RoomConfig { state: StateWishes { wishes: vec![Arc::new(wish)] }, ..RoomConfig::default() }
    }

    fn request(lists: usize, subscriptions: usize, config: impl Fn(usize) -> RoomConfig) -> SlidingRequest {
        let list = |number: usize| List { config: config(number), ..List::default() };
        let id = |number: usize| OwnedRoomId::try_from(format!("!{number}:a.b")).expect("an id");
        SlidingRequest {
            lists: (0..lists).map(|number| (number.to_string(), list(number))).collect(),
            subscriptions: (0..subscriptions).map(|number| (id(number), config(lists + number))).collect(),
            ..SlidingRequest::default()
        }
    }

    fn asked(request: &SlidingRequest) -> Result<NumberedRequest<'_>, SlidingError> {
        let rooms = (1..).map(RoomNumber);
        NumberedRequest::new(
            request,
            rooms.zip(request.subscriptions.iter().map(|(_, config)| config)).collect(),
        )
    }

    /// Hostile input, row 137: what is bounded for each list is bounded for all of them together.
    #[test]
    fn row_137_wishes_are_bounded_for_a_request_as_a_whole() {
        assert!(asked(&request(60, 100, |name| config(name, 1_800))).is_err());
        assert!(asked(&request(100, 100, |name| config(name, 2))).is_err(), "400 patterns");
        assert!(asked(&request(100, 100, |name| config(name, 0))).is_ok());
        assert!(asked(&request(100, 28, |name| config(name, 2))).is_ok());
        let element = request(1, 100, |name| config(name.min(1), 25));
        assert_eq!(asked(&element).expect("few").wishes.len(), 2);
    }

    #[test]
    fn rooms_that_want_the_same_share_one_union() {
        let request = request(100, 100, |name| config(name % 3, 20));
        let asked = asked(&request).expect("few wishes");
        let mut configs = CombinedConfigs::new(&asked);
        let mut made = BTreeSet::new();
        for room in 1..=100 {
            let wanted = configs.of(RoomNumber(room), SUBSCRIBED | 1).expect("few unions");
            made.insert(Arc::as_ptr(&wanted.state));
        }
        assert_eq!((made.len(), configs.unions.len()), (3, 3));
    }

    #[test]
    fn different_unions_of_a_request_are_bounded() {
        let request = request(100, 0, |name| config(name, 1));
        let asked = asked(&request).expect("few wishes");
        let mut configs = CombinedConfigs::new(&asked);
        let refused = (1..1_000).position(|mask| configs.of(RoomNumber(1), mask).is_err());
        assert_eq!(refused, Some(MAX_WISHES));
    }
}
