//! What a search asks for.
//!
//! Owns: the body, and what it means. Unlike ruma's type it tells whether `event_context` was there: without it no context is given.

use std::collections::BTreeSet;

use plop_rooms::reader::filter::EventFilter;
use plop_search::token::PageToken;
use plop_search::{Ask, Key, Order};
use ruma::UInt;
use ruma::api::client::filter::RoomEventFilter;
use serde::Deserialize;

use crate::error::ApiError;

/// Results of a page without a limit in the request.
const DEFAULT_LIMIT: usize = 10;
/// Events before and after a result, at most: as many as one context has.
pub const MAX_CONTEXT: u64 = 50;

/// The query.
#[derive(Deserialize)]
pub struct Page {
    pub next_batch: Option<String>,
}

/// The body.
#[derive(Deserialize)]
pub struct Body {
    pub search_categories: Categories,
}

/// "Currently the only specified category is `room_events`."
#[derive(Deserialize)]
pub struct Categories {
    pub room_events: Option<Criteria>,
}

#[derive(Deserialize)]
pub struct Criteria {
    search_term: String,
    keys: Option<Vec<SearchKey>>,
    #[serde(default)]
    filter: RoomEventFilter,
    #[serde(default)]
    order_by: OrderBy,
    pub event_context: Option<EventContext>,
    #[serde(default)]
    pub include_state: bool,
    #[serde(default)]
    pub groupings: Groupings,
}

#[derive(Deserialize)]
enum SearchKey {
    #[serde(rename = "content.body")]
    Body,
    #[serde(rename = "content.name")]
    Name,
    #[serde(rename = "content.topic")]
    Topic,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum OrderBy {
    #[default]
    Rank,
    Recent,
}

/// What is given around a result.
#[derive(Deserialize)]
pub struct EventContext {
    #[serde(default = "five")]
    before_limit: UInt,
    #[serde(default = "five")]
    after_limit: UInt,
    #[serde(default)]
    pub include_profile: bool,
}

fn five() -> UInt {
    UInt::from(5_u8)
}

impl EventContext {
    /// Events before a result and after it.
    pub fn limits(&self) -> (u64, u64) {
        (u64::from(self.before_limit).min(MAX_CONTEXT), u64::from(self.after_limit).min(MAX_CONTEXT))
    }
}

/// How results are grouped.
#[derive(Deserialize, Default)]
pub struct Groupings {
    #[serde(default)]
    group_by: Vec<Grouping>,
}

#[derive(Deserialize)]
struct Grouping {
    key: GroupKey,
}

/// By what results are grouped.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum GroupKey {
    RoomId,
    Sender,
}

impl Groupings {
    /// Each key once.
    pub fn keys(&self) -> impl Iterator<Item = GroupKey> {
        let by = |key| self.group_by.iter().any(|grouping| grouping.key == key).then_some(key);
        [by(GroupKey::RoomId), by(GroupKey::Sender)].into_iter().flatten()
    }
}

impl Criteria {
    /// As the domain is asked.
    pub fn ask(&self, next_batch: Option<&str>) -> Result<Ask, ApiError> {
        let filter = EventFilter::of_room_events(&self.filter)?;
        let limit = filter.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let named: BTreeSet<Key> = match &self.keys {
            None => Key::ALL.into(),
            Some(keys) => keys.iter().map(SearchKey::key).collect(),
        };
        Ok(Ask {
            term: self.search_term.clone(),
            keys: named.into_iter().filter(|key| filter.keeps_type(key.event_type())).collect(),
            order: match self.order_by {
                OrderBy::Rank => Order::Rank,
                OrderBy::Recent => Order::Recent,
            },
            limit: limit.unwrap_or(DEFAULT_LIMIT),
            rooms: self.filter.rooms.clone(),
            not_rooms: self.filter.not_rooms.clone(),
            senders: self.filter.senders.clone(),
            not_senders: self.filter.not_senders.clone(),
            url: self.filter.url_filter,
            from: next_batch.map(str::parse::<PageToken>).transpose().map_err(ApiError::invalid_param)?,
            filter,
        })
    }
}

impl SearchKey {
    fn key(&self) -> Key {
        match self {
            Self::Body => Key::Body,
            Self::Name => Key::Name,
            Self::Topic => Key::Topic,
        }
    }
}
