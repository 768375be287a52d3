//! The parts of requests that both dialects have in the same form, and the limits.
//!
//! Owns: reading and checking them. Does not own: the rest of the request.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_sync::sliding::request::{
    Dialect, Extensions, Filters, List, MAX_CONNECTION_NAME_BYTES, MAX_LIST_NAME_BYTES, MAX_LISTS, MAX_NAMES,
    MAX_RANGES, MAX_SUBSCRIPTIONS, MAX_THREADS, MAX_TIMELINE, MAX_WISHES_BYTES, Names, RoomConfig, Scope,
    SlidingRequest, ToDeviceRequest,
};
use plop_sync::sliding::required_state::{RequiredState, StateWishes};
use ruma::{OwnedRoomId, RoomId};
use serde::Deserialize;

use crate::error::ApiError;

/// Extensions that are known; others are ignored (MSC4508).
#[derive(Default, Deserialize)]
pub struct ExtensionsBody {
    #[serde(default)]
    to_device: ToDeviceBody,
    #[serde(default)]
    e2ee: SwitchBody,
    #[serde(default)]
    account_data: ScopeBody,
    #[serde(default)]
    receipts: ScopeBody,
    #[serde(default)]
    typing: ScopeBody,
    #[serde(default, rename = "io.element.msc4308.thread_subscriptions")]
    thread_subscriptions: LimitedBody,
}

#[derive(Default, Deserialize)]
struct ToDeviceBody {
    enabled: Option<bool>,
    limit: Option<u64>,
    since: Option<String>,
}

#[derive(Default, Deserialize)]
struct SwitchBody {
    enabled: Option<bool>,
}

#[derive(Default, Deserialize)]
struct LimitedBody {
    enabled: Option<bool>,
    limit: Option<u64>,
}

#[derive(Default, Deserialize)]
struct ScopeBody {
    enabled: Option<bool>,
    lists: Option<Vec<String>>,
    rooms: Option<Vec<String>>,
}

/// The filters of a list.
#[derive(Default, Deserialize)]
pub struct FiltersBody {
    is_dm: Option<bool>,
    is_encrypted: Option<bool>,
    /// The deployed dialect's name of `is_invited`.
    is_invite: Option<bool>,
    is_invited: Option<bool>,
    spaces: Option<Vec<String>>,
    room_types: Option<Vec<Option<String>>>,
    not_room_types: Option<Vec<Option<String>>>,
    tags: Option<Vec<String>>,
    not_tags: Option<Vec<String>>,
    /// Of the proposal before (MSC3575). It would change which rooms there are, so it is not ignored.
    room_name_like: Option<String>,
}

impl ExtensionsBody {
    pub fn read(self) -> Result<Extensions, ApiError> {
        let ToDeviceBody { enabled, limit, since } = self.to_device;
        let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(Extensions {
            to_device: (enabled == Some(true)).then_some(ToDeviceRequest { since, limit }),
            encryption: self.e2ee.enabled == Some(true),
            account_data: self.account_data.read()?,
            receipts: self.receipts.read()?,
            typing: self.typing.read()?,
            thread_subscriptions: self.thread_subscriptions.read()?,
        })
    }
}

impl LimitedBody {
    fn read(self) -> Result<Option<usize>, ApiError> {
        if self.enabled != Some(true) {
            return Ok(None);
        }
        check(self.limit != Some(0), || "the limit of an extension is 0".to_owned())?;
        let limit = self.limit.map_or(MAX_THREADS, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(Some(limit.min(MAX_THREADS)))
    }
}

impl ScopeBody {
    fn read(self) -> Result<Option<Scope>, ApiError> {
        if self.enabled != Some(true) {
            return Ok(None);
        }
        let lists = names(self.lists, Ok)?;
        let rooms = names(self.rooms, |id| room_id(&id))?;
        Ok(Some(Scope { lists, rooms }))
    }
}

impl FiltersBody {
    pub fn read(self, dialect: Dialect) -> Result<Filters, ApiError> {
        check(self.room_name_like.is_none(), || "room_name_like is not known here".to_owned())?;
        let spaces = self.spaces.map(some).transpose()?;
        let spaces = spaces.map(|spaces| spaces.iter().map(|id| room_id(id)).collect());
        Ok(Filters {
            is_dm: self.is_dm,
            is_encrypted: self.is_encrypted,
            is_invited: match dialect {
                Dialect::Deployed => self.is_invite,
                Dialect::Accepted => self.is_invited,
            },
            spaces: spaces.transpose()?,
            room_types: self.room_types.map(types).transpose()?,
            not_room_types: types(self.not_room_types.unwrap_or_default())?,
            tags: self.tags.map(some).transpose()?,
            not_tags: some(self.not_tags.unwrap_or_default())?,
        })
    }
}

/// A list of names; `*` in it, or none at all, means all.
fn names<T: Ord>(
    listed: Option<Vec<String>>,
    read: impl Fn(String) -> Result<T, ApiError>,
) -> Result<Names<T>, ApiError> {
    let Some(listed) = listed.filter(|listed| !listed.iter().any(|name| name == "*")) else {
        return Ok(Names::All);
    };
    check(listed.len() <= MAX_NAMES, || format!("more than {MAX_NAMES} names in a list of an extension"))?;
    listed.into_iter().map(read).collect::<Result<BTreeSet<T>, ApiError>>().map(Names::Of)
}

fn some<T: Ord>(listed: Vec<T>) -> Result<BTreeSet<T>, ApiError> {
    check(listed.len() <= MAX_NAMES, || format!("more than {MAX_NAMES} names in a filter"))?;
    Ok(listed.into_iter().collect())
}

fn types(listed: Vec<Option<String>>) -> Result<BTreeSet<Option<Arc<str>>>, ApiError> {
    some(listed.into_iter().map(|kind| kind.map(Into::into)).collect())
}

fn room_id(id: &str) -> Result<OwnedRoomId, ApiError> {
    RoomId::parse(id).map_err(ApiError::invalid_param)
}

/// What is wanted of a room.
pub fn config(timeline_limit: u64, wish: RequiredState) -> Result<RoomConfig, ApiError> {
    check(wish.bytes() <= MAX_WISHES_BYTES, || {
        format!("required_state takes more than {MAX_WISHES_BYTES} bytes")
    })?;
    let timeline_limit = u32::try_from(timeline_limit).unwrap_or(u32::MAX).min(MAX_TIMELINE);
    Ok(RoomConfig { timeline_limit, state: StateWishes { wishes: vec![Arc::new(wish)] }, heroes: true })
}

/// The windows of a list.
pub fn ranges(ranges: Vec<(u64, u64)>) -> Result<Vec<(u64, u64)>, ApiError> {
    check(ranges.len() <= MAX_RANGES, || format!("more than {MAX_RANGES} ranges in a list"))?;
    check(ranges.iter().all(|(first, last)| first <= last), || "a range ends before it begins".to_owned())?;
    Ok(ranges)
}

/// A request within the limits on it as a whole.
pub fn checked(request: SlidingRequest) -> Result<SlidingRequest, ApiError> {
    let SlidingRequest { connection, lists, subscriptions, transaction, .. } = &request;
    check(lists.len() <= MAX_LISTS, || format!("more than {MAX_LISTS} lists"))?;
    check(subscriptions.len() <= MAX_SUBSCRIPTIONS, || {
        format!("more than {MAX_SUBSCRIPTIONS} room subscriptions")
    })?;
    check(connection.len() <= MAX_CONNECTION_NAME_BYTES, || {
        format!("conn_id is longer than {MAX_CONNECTION_NAME_BYTES} bytes")
    })?;
    let has_short_name = |(name, _): &(String, List)| name.len() <= MAX_LIST_NAME_BYTES;
    check(lists.iter().all(has_short_name), || {
        format!("the name of a list is longer than {MAX_LIST_NAME_BYTES} bytes")
    })?;
    let names: usize = lists.iter().map(|(_, list)| list.filters.names()).sum();
    check(names <= MAX_NAMES, || format!("more than {MAX_NAMES} names in all filters"))?;
    check(transaction.as_ref().is_none_or(|id| id.len() <= MAX_LIST_NAME_BYTES), || {
        format!("txn_id is longer than {MAX_LIST_NAME_BYTES} bytes")
    })?;
    Ok(request)
}

/// Refuses what does not hold.
pub fn check(holds: bool, why: impl FnOnce() -> String) -> Result<(), ApiError> {
    if holds { Ok(()) } else { Err(ApiError::invalid_param(why())) }
}
