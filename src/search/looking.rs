//! What of the documents that match is shown to one user.
//!
//! Owns: [`Findings`], the check of each document with its room as it is now. Does not own: which documents match ([`crate::query`]).
//!
//! Invariants: an event is shown only if its reader sees it ([`RoomReader::sees`], as on every path), gets all of it (nothing is left of what erased users
//! sent), and it has the words still: an index that is behind, or of another past, shows nothing that is not so. What is counted is what was checked
//! like this, so the count tells nothing of what the user may not see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plop_base::Actor;
use plop_rooms::reader::access::RoomReader;
use plop_rooms::{EventReadError, LoadError, RoomEvent, Rooms, StoreFault};
use plop_state_store::{EventNumber, RoomNumber};
use ruma::{OwnedRoomId, OwnedUserId, UserId};
use tantivy::tokenizer::TextAnalyzer;

use crate::collecting::Collected;
use crate::entry::text;
use crate::language::words;
use crate::query::{Ask, Order};
use crate::token::{LevelRow, PageToken};

/// Words of an answer that are to be highlighted.
const MAX_HIGHLIGHTS: usize = 100;

/// An event that was found.
#[derive(Debug, Clone)]
pub struct Hit {
    pub room: OwnedRoomId,
    pub event: Arc<RoomEvent>,
    /// How well it fits.
    pub rank: f32,
}

/// A page of results.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    pub hits: Vec<Hit>,
    /// At least so many results there are, on this and other pages.
    pub count: u64,
    /// Where to go on, if there may be more.
    pub next: Option<PageToken>,
    /// The words of the results that were searched for, in lower case.
    pub highlights: BTreeSet<String>,
}

/// One look at documents that match.
pub(crate) struct Look<'a> {
    rooms: &'a Rooms,
    actor: &'a Actor,
    user: &'a UserId,
    readers: BTreeMap<RoomNumber, Option<RoomReader<'a>>>,
    pub ask: &'a Ask,
    pub words: &'a BTreeSet<String>,
    pub not_senders: &'a BTreeSet<OwnedUserId>,
    pub analyzer: &'a TextAnalyzer,
    shown: BTreeSet<(RoomNumber, EventNumber)>,
    highlights: BTreeSet<String>,
}

impl<'a> Look<'a> {
    pub fn new(
        (rooms, actor, user): (&'a Rooms, &'a Actor, &'a UserId),
        ask: &'a Ask,
        (words, not_senders): (&'a BTreeSet<String>, &'a BTreeSet<OwnedUserId>),
        analyzer: &'a TextAnalyzer,
    ) -> Self {
        let (readers, shown, highlights) = Default::default();
        Self { rooms, actor, user, readers, ask, words, not_senders, analyzer, shown, highlights }
    }

    /// The page that some documents make, which are all that match if there are fewer than `wanted`.
    pub async fn page(mut self, found: &[Collected], wanted: usize) -> Result<Findings, StoreFault> {
        let from = self.ask.from.as_ref();
        let before = from.map_or(0, |from| from.seen);
        let mut levels = from.map(|from| from.levels.clone()).unwrap_or_default();
        let level = levels.pop().unwrap_or_default();
        let (mut hits, mut visible, mut behind) = (Vec::new(), 0, None);
        for (collected, passed) in found.iter().zip(level.passed + 1..) {
            let is_on_page = hits.len() < self.ask.limit;
            if is_on_page {
                behind = Some((collected.key, passed));
            }
            let Some(hit) = self.hit(collected, is_on_page).await? else { continue };
            visible += 1;
            if is_on_page {
                hits.push(hit);
            }
        }
        let is_full = hits.len() == self.ask.limit;
        let more = (is_full || found.len() == wanted) && self.ask.limit > 0;
        let next = behind.filter(|_| more).map(|(behind, passed)| {
            levels.push(LevelRow { passed, ..level });
            PageToken {
                by_rank: self.ask.order == Order::Rank,
                behind,
                levels,
                seen: before.saturating_add(hits.len() as u64),
            }
        });
        let count = before.saturating_add(visible);
        Ok(Findings { hits, count, next, highlights: self.highlights })
    }

    /// A document as the user may see it.
    async fn hit(&mut self, found: &Collected, is_on_page: bool) -> Result<Option<Hit>, StoreFault> {
        if !self.shown.insert((found.room, found.event)) {
            return Ok(None);
        }
        if !self.readers.contains_key(&found.room) {
            let reader = self.reader(found.room).await?;
            self.readers.insert(found.room, reader);
        }
        let Some(Some(reader)) = self.readers.get_mut(&found.room) else { return Ok(None) };
        let event = match reader.numbered(found.event).await {
            Ok(event) => event,
            Err(EventReadError::Dangling(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some((key, text)) = text(&event) else { return Ok(None) };
        let is_wanted = self.ask.keys.contains(&key)
            && self.ask.filter.keeps(&event.pdu)
            && !self.not_senders.contains(event.pdu.sender());
        if !is_wanted || !reader.sees(&event).await? || !reader.gets_whole(&event).await? {
            return Ok(None);
        }
        let found_words = words(self.analyzer, &text);
        let has = |word: &String| found_words.iter().any(|(found, _)| found == word);
        if !self.words.iter().all(has) {
            return Ok(None);
        }
        if is_on_page {
            let pieces = found_words.into_iter().filter(|(word, _)| self.words.contains(word));
            self.highlights.extend(pieces.map(|(_, piece)| piece).take(MAX_HIGHLIGHTS));
            while self.highlights.len() > MAX_HIGHLIGHTS {
                self.highlights.pop_last();
            }
        }
        Ok(Some(Hit { room: reader.view().id.clone(), event, rank: found.score }))
    }

    /// A room as the user reads it; `None` for one that is not here any more.
    async fn reader(&self, room: RoomNumber) -> Result<Option<RoomReader<'a>>, StoreFault> {
        let view = match self.rooms.view(room).await {
            Ok(view) => view,
            Err(LoadError::NotHere | LoadError::UnknownVersion(_)) => return Ok(None),
            Err(LoadError::Store(fault)) => return Err(fault),
        };
        // The picture before the snapshot.
        let snapshot = self.rooms.db().snapshot();
        RoomReader::new(self.rooms, view, snapshot, self.user, self.actor.device_id()).await.map(Some)
    }
}
