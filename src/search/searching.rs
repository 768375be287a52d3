//! Searching for a user (client-server API, `POST /search`).
//!
//! Owns: the steps from what is asked for to a page of results. Does not own: each of the steps.
//!
//! Invariants: what was acknowledged before the search is found, unless the index is so far behind that it cannot be waited for: then what it has. The
//! cost follows what matches in the rooms of the user and the size of a page, not how deep the page is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use plop_accounts::ignored_users::ignored_users;
use plop_base::Actor;
use plop_base::blocking::PoolEnded;
use plop_db::{ReadError, Snapshot};
use plop_rooms::StoreFault;
use plop_state_store::RoomNumber;
use ruma::UserId;
use tantivy::TantivyError;
use tantivy::query::Query;

use crate::collecting::{Collected, First, SortKey};
use crate::index::StoredIndex;
use crate::looking::{Findings, Look};
use crate::query::{Ask, Order, query, words_of};
use crate::reach::{MAX_NAMED, all_rooms, named_rooms};
use crate::search::Search;
use crate::token::LevelRow;

/// Results of a page, at most.
pub const MAX_RESULTS: usize = 100;
/// Results beyond the page that are looked at to say how many there are.
const LOOKED_AHEAD: usize = 100;
/// Senders that a request may name.
const MAX_SENDERS: usize = 1_000;
/// Documents before a page by rank: deeper ones cost more, and nobody reads so far.
const MAX_PASSED: usize = 10_000;
/// How long a search waits for the index.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why nothing is searched.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error("a user is needed to search")]
    NoUser,
    #[error("more than {MAX_NAMED} rooms, or more than {MAX_SENDERS} senders")]
    TooMany,
    #[error("the token is that of another order")]
    OtherOrder,
    #[error("there are no pages by rank beyond {MAX_PASSED} results")]
    TooDeep,
    #[error("the search index: {0}")]
    Index(#[from] TantivyError),
    #[error(transparent)]
    Stopping(#[from] PoolEnded),
    #[error(transparent)]
    Store(StoreFault),
}

impl From<StoreFault> for SearchError {
    fn from(fault: StoreFault) -> Self {
        Self::Store(fault)
    }
}

impl From<ReadError> for SearchError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl Search {
    /// A page of the events that a user may see and that have all words of a term.
    pub async fn find(&self, actor: &Actor, ask: &Ask) -> Result<Findings, SearchError> {
        let user = actor.user_id().ok_or(SearchError::NoUser)?;
        let ask = &bounded(ask)?;
        let words = words_of(&ask.term, &self.parts().index.load().analyzer);
        if words.is_empty() || ask.keys.is_empty() {
            return Ok(Findings::default());
        }
        self.wait_for_index().await;
        let snapshot = self.parts().rooms.db().snapshot();
        let rooms = self.rooms_in_reach(&snapshot, user, ask).await?;
        let steps = self.steps(ask, &rooms).await?;
        let mut not_senders: BTreeSet<_> = ask.not_senders.iter().cloned().collect();
        not_senders.extend(ignored_users(&snapshot, user).await?.users.into_iter().take(MAX_SENDERS));
        drop(snapshot);

        let index = self.parts().index.load_full();
        let wanted = ask.limit + LOOKED_AHEAD;
        let query = |step: &Step| query(&index.fields, &words, &step.rooms, &step.ask, &not_senders);
        let queries: Vec<_> = steps.iter().map(|step| (query(step), step.passed)).collect();
        let (asked, order, behind) = (Arc::clone(&index), ask.order, behind(ask));
        let search = move || in_steps(&asked, order, behind, &queries, wanted);
        let found = match self.parts().searches.run(search).await? {
            Ok(found) => found,
            Err(error) => {
                self.doubt().await;
                return Err(error.into());
            }
        };
        let look =
            Look::new((&self.parts().rooms, actor, user), ask, (&words, &not_senders), &index.analyzer);
        Ok(look.page(&found, wanted).await?)
    }

    /// Waits until the index has what is published now, as long as that is reasonable.
    async fn wait_for_index(&self) {
        match self.parts().clock.timeout(PATIENCE, self.catch_up()).await {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::warn!(%error, "the search index is behind"),
            None => tracing::info!("a search did not wait for the index any longer"),
        }
    }

    async fn rooms_in_reach(
        &self,
        snapshot: &Snapshot,
        user: &UserId,
        ask: &Ask,
    ) -> Result<Vec<RoomNumber>, SearchError> {
        let rooms = &self.parts().rooms;
        let mut found = match &ask.rooms {
            Some(named) => named_rooms(rooms, snapshot, user, named).await?,
            None => all_rooms(snapshot, user).await?,
        };
        for room in &ask.not_rooms {
            if let Some(number) = rooms.number(room).await? {
                found.remove(&number);
            }
        }
        Ok(found.into_iter().collect())
    }

    /// The steps to the beginning of a page.
    async fn steps(&self, ask: &Ask, rooms: &[RoomNumber]) -> Result<Vec<Step>, SearchError> {
        let levels = match (&ask.from, ask.order) {
            (None, _) => vec![LevelRow::default()],
            (Some(from), Order::Rank) => from.levels.clone(),
            // A sort key says it all.
            (Some(from), Order::Recent) => {
                from.levels.last().map(|level| LevelRow { passed: 0, ..level.clone() }).into_iter().collect()
            }
        };
        let mut steps = Vec::new();
        for LevelRow { group, passed } in levels {
            let passed = usize::try_from(passed).unwrap_or(MAX_PASSED);
            let mut step = Step { ask: ask.clone(), rooms: rooms.to_vec(), passed };
            if let Some(room) = group.room {
                let number = self.parts().rooms.number(&room).await?;
                step.rooms.retain(|one| Some(*one) == number);
            }
            if let Some(sender) = group.sender {
                step.ask.senders.get_or_insert_with(|| vec![sender.clone()]).retain(|one| *one == sender);
            }
            steps.push(step);
        }
        Ok(steps)
    }
}

/// A search among the documents of a group, of which so many are passed over.
struct Step {
    ask: Ask,
    rooms: Vec<RoomNumber>,
    passed: usize,
}

/// Where a page in the order of the stream begins.
fn behind(ask: &Ask) -> Option<SortKey> {
    ask.from.as_ref().filter(|from| !from.by_rank).map(|from| from.behind)
}

/// Each query behind the documents that are passed over of the one before; what the last one finds there. Blocks.
fn in_steps(
    index: &StoredIndex,
    order: Order,
    mut behind: Option<SortKey>,
    queries: &[(Box<dyn Query>, usize)],
    wanted: usize,
) -> Result<Vec<Collected>, TantivyError> {
    let mut found = Vec::new();
    for (step, (query, passed)) in queries.iter().enumerate() {
        let wanted = if step + 1 == queries.len() { wanted } else { 0 };
        let mut passed_over = index.search(&**query, &First { order, behind, wanted: passed + wanted })?;
        found = passed_over.split_off((*passed).min(passed_over.len()));
        behind = passed_over.last().map(|last| last.key).or(behind);
    }
    Ok(found)
}

/// What is asked for, in bounds.
fn bounded(ask: &Ask) -> Result<Ask, SearchError> {
    let ask = Ask { limit: ask.limit.min(MAX_RESULTS), ..ask.clone() };
    let named = ask.rooms.as_ref().map_or(0, Vec::len).max(ask.not_rooms.len());
    let senders = ask.senders.as_ref().map_or(0, Vec::len).max(ask.not_senders.len());
    if named > MAX_NAMED || senders > MAX_SENDERS {
        return Err(SearchError::TooMany);
    }
    let Some(from) = &ask.from else { return Ok(ask) };
    if from.by_rank != (ask.order == Order::Rank) {
        return Err(SearchError::OtherOrder);
    }
    let passed = from.levels.iter().fold(0, |sum: u64, level| sum.saturating_add(level.passed));
    if from.by_rank && passed > MAX_PASSED as u64 {
        return Err(SearchError::TooDeep);
    }
    Ok(ask)
}
