//! The filter of a `/sync` request (client-server API, "Filtering").
//!
//! Owns: [`SyncFilter`], made ready to match; the way from the request's parameter to it; the cache of those that are kept on the server. Does not own: what
//! matches ([`plop_rooms::reader::filter`]).
//!
//! Invariants: an identifier is made of its filter's content, so what is cached is right for ever. Size and number of patterns are bounded. The limits for
//! presence, ephemeral events and account data mean nothing: these are told as they are now, and what were cut off would never come.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_accounts::filters::{FilterError, MAX_FILTER_BYTES};
use plop_accounts::{Accounts, StoreError};
use plop_base::Actor;
use plop_rooms::reader::filter::{EventFilter, TooManyPatterns};
use plop_state::pdu::ClientFormat;
use quick_cache::sync::Cache;
use ruma::api::client::filter::{EventFormat, FilterDefinition};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};

use crate::fields::{Fields, MAX_PATHS};

/// Filters that are kept ready.
const CACHED: usize = 2_000;

/// Events of a timeline without a limit in the filter.
const DEFAULT_TIMELINE: u64 = 10;
/// Events of a timeline at most.
const MAX_TIMELINE: u64 = 100;

/// Why a filter is not used.
#[derive(Debug, thiserror::Error)]
pub enum FilterRefusal {
    #[error("not a filter: {0}")]
    Invalid(String),
    #[error("the filter is larger than {MAX_FILTER_BYTES} bytes")]
    TooLarge,
    #[error(transparent)]
    TooManyPatterns(#[from] TooManyPatterns),
    #[error("no such filter")]
    Unknown,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a client wants to get.
#[derive(Debug, Default)]
pub struct SyncFilter {
    rooms: Option<BTreeSet<OwnedRoomId>>,
    not_rooms: BTreeSet<OwnedRoomId>,
    pub include_leave: bool,
    pub timeline: EventFilter,
    pub state: EventFilter,
    pub ephemeral: EventFilter,
    pub room_account_data: EventFilter,
    pub account_data: EventFilter,
    pub presence: EventFilter,
    /// The form of events.
    pub raw: bool,
    /// The members of events that are wanted, each a path; all without it.
    pub fields: Option<Fields>,
}

impl SyncFilter {
    /// Reads the JSON text of a filter.
    pub fn parse(text: &str) -> Result<Self, FilterRefusal> {
        if text.len() > MAX_FILTER_BYTES {
            return Err(FilterRefusal::TooLarge);
        }
        let filter: FilterDefinition =
            serde_json::from_str(text).map_err(|error| FilterRefusal::Invalid(error.to_string()))?;
        let room = &filter.room;
        let fields = filter.event_fields.as_deref().map(Fields::new);
        let too_many = || FilterRefusal::Invalid(format!("more than {MAX_PATHS} event_fields"));
        let fields = fields.map(|fields| fields.ok_or_else(too_many)).transpose()?;
        Ok(Self {
            rooms: room.rooms.as_ref().map(|rooms| rooms.iter().cloned().collect()),
            not_rooms: room.not_rooms.iter().cloned().collect(),
            include_leave: room.include_leave,
            timeline: EventFilter::of_room_events(&room.timeline)?,
            state: EventFilter::of_room_events(&room.state)?,
            ephemeral: EventFilter::of_room_events(&room.ephemeral)?,
            room_account_data: EventFilter::of_room_events(&room.account_data)?,
            account_data: EventFilter::of_events(&filter.account_data)?,
            presence: EventFilter::of_events(&filter.presence)?,
            raw: filter.event_format == EventFormat::Federation,
            fields,
        })
    }

    /// Whether anything of a room is wanted.
    pub fn keeps_room(&self, room: &RoomId) -> bool {
        self.rooms.as_ref().is_none_or(|rooms| rooms.contains(room)) && !self.not_rooms.contains(room)
    }

    /// Events of a timeline at most.
    pub fn timeline_limit(&self) -> usize {
        let limit = self.timeline.limit.unwrap_or(DEFAULT_TIMELINE).min(MAX_TIMELINE);
        usize::try_from(limit).unwrap_or(usize::MAX)
    }

    /// The form of events.
    pub fn format(&self) -> ClientFormat {
        if self.raw { ClientFormat::Federation } else { ClientFormat::WithoutRoomId }
    }
}

/// The filters of this server's users.
pub struct SyncFilters {
    accounts: Accounts,
    everything: Arc<SyncFilter>,
    kept: Cache<(OwnedUserId, String), Arc<SyncFilter>>,
}

impl SyncFilters {
    pub fn new(accounts: Accounts) -> Self {
        Self { accounts, everything: Arc::default(), kept: Cache::new(CACHED) }
    }

    /// The filter that keeps everything.
    pub fn everything(&self) -> &Arc<SyncFilter> {
        &self.everything
    }

    /// The filter that a request names or holds.
    pub async fn get(
        &self,
        actor: &Actor,
        user: &UserId,
        filter: Option<&str>,
    ) -> Result<Arc<SyncFilter>, FilterRefusal> {
        let Some(filter) = filter else { return Ok(Arc::clone(&self.everything)) };
        if filter.starts_with('{') {
            return SyncFilter::parse(filter).map(Arc::new);
        }
        let key = (user.to_owned(), filter.to_owned());
        if let Some(kept) = self.kept.get(&key) {
            return Ok(kept);
        }
        let text = self.accounts.filter(actor, user, filter).await.map_err(refusal)?;
        let ready = Arc::new(SyncFilter::parse(&text.ok_or(FilterRefusal::Unknown)?)?);
        self.kept.insert(key, Arc::clone(&ready));
        Ok(ready)
    }
}

/// Why a kept filter cannot be read. What only the writing of one may say is not said here.
fn refusal(error: FilterError) -> FilterRefusal {
    match error {
        FilterError::Store(error) => FilterRefusal::Store(error),
        FilterError::Invalid(why) => FilterRefusal::Invalid(why),
        FilterError::TooLarge => FilterRefusal::TooLarge,
        FilterError::Forbidden(_) | FilterError::TooMany | FilterError::NoAccount => FilterRefusal::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_clamped() {
        let limit = |text| SyncFilter::parse(text).expect("a filter").timeline_limit();
        assert_eq!(limit("{}"), 10);
        assert_eq!(limit(r#"{"room":{"timeline":{"limit":0}}}"#), 0);
        assert_eq!(limit(r#"{"room":{"timeline":{"limit":9007199254740991}}}"#), 100);
    }

    /// What is asked for is done, or refused.
    #[test]
    fn more_event_fields_than_are_looked_at_are_refused() {
        let parse = |number: usize| {
            let paths = vec!["\"content.body\""; number].join(",");
            SyncFilter::parse(&format!(r#"{{"event_fields":[{paths}]}}"#))
        };
        assert!(parse(MAX_PATHS).is_ok());
        assert!(matches!(parse(MAX_PATHS + 1), Err(FilterRefusal::Invalid(_))));
    }

    /// Hostile input, row 140.
    #[test]
    fn what_is_no_filter_is_refused() {
        let rooms = format!(r#"{{"room":{{"rooms":["{}"]}}}}"#, "!a:b\",\"".repeat(100_000));
        assert!(matches!(SyncFilter::parse(&rooms), Err(FilterRefusal::TooLarge)));
        for text in [
            "{",
            "{\"room\":1}",
            "{\"room\":{\"timeline\":{\"limit\":-1}}}",
            "{\"room\":{\"rooms\":[\"x\"]}}",
        ] {
            assert!(matches!(SyncFilter::parse(text), Err(FilterRefusal::Invalid(_))), "{text}");
        }
    }
}
