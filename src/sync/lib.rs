//! Rank 4: `/sync` and sliding sync, as readers of streams.
//!
//! Owns: what is new for a user since a position (client-server API, "Syncing"): the frame of rooms that it is about, a provider for each kind of
//! change, the tokens, the requests that wait. Does not own: HTTP (rank 5), the streams (rank 3 writes them).
//!
//! The way of a request: [`sync`] parses it and waits; [`look`] looks once: positions first, then the [`frame`], then the providers ([`timeline`],
//! [`state`], [`summary`], ...), put together by [`rooms`] while [`answer`] writes them. [`changes`] remembers what changed when, [`wake`]
//! wakes whom it may concern. [`sliding`] is the other composer over the same providers.
//!
//! Invariants: writes nothing of the domain. An answer goes up to one position of the database, and whatever is newer than that in what is read is left for
//! the next one. The cost of an incremental answer follows what changed.

mod account_data;
mod answer;
mod as_of;
mod bare_event;
mod beside;
mod changes;
mod context;
mod device_lists;
mod encryption;
mod fields;
mod filter;
mod frame;
mod ids;
mod ignored;
mod json;
mod key_counts;
mod last_changes;
mod member_moves;
mod memberships;
mod news;
mod outside;
mod page_token;
mod pass;
mod past;
mod presence;
mod presence_profiles;
mod presence_rooms;
mod receipts;
pub mod request;
mod response;
mod rooms;
mod scene;
mod sent_members;
mod shared;
pub mod sliding;
mod state;
mod steps;
mod summary;
mod sync;
mod tails;
mod timeline;
mod to_device;
pub mod token;
mod turns;
mod typing;
mod unread;
mod waiters;
mod wake;

pub use answer::SyncAnswer;
pub use filter::FilterRefusal;
pub use page_token::PageToken;
pub use request::{AnswerFault, StateAt, SyncError, SyncRequest};
pub use response::DeviceLists;
pub use shared::Parts;
pub use sync::Syncing;
pub use token::SyncToken;
