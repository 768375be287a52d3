//! Rank 4: events by their words.
//!
//! Owns: an index of texts beside the database, following the live streams of all rooms; searching it for a user. Does not own: events, who may see
//! them ([`plop_rooms::reader`]), the form of requests and answers (rank 5).
//!
//! Invariants: the index holds nothing that is not in the database, and may be thrown away: it is then made anew from the streams. How far it goes is
//! stored with each of its commits, in one atomic step, so nothing is missing or in it twice after a crash. What a search gives is checked with
//! the rooms as they are now: the index only says where to look. Words are words: there is no query language.

mod collecting;
mod entry;
mod fields;
mod folder;
mod following;
mod index;
mod indexer;
pub mod language;
mod looking;
mod passes;
mod progress;
mod query;
mod reach;
mod search;
mod searching;
pub mod token;

pub use entry::Key;
pub use folder::Place;
pub use following::FollowError;
pub use index::IndexError;
pub use looking::{Findings, Hit};
pub use query::{Ask, Order};
pub use search::{Search, SearchParameters};
pub use searching::{MAX_RESULTS, SearchError};
