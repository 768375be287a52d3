//! Rank 3: how much a user has not read (client-server API, "Receiving notifications").
//!
//! Owns: notification and highlight counts of a room, its main timeline and its threads, for one user at one position ([`Unread`]), and the list
//! of what notified a user ([`notifications`]). Does not
//! own: any row. What is counted is written with the events (`plop_rooms::schema`: totals of the live stream, mentions, what a
//! user sent), how far a user has read with receipts (`plop_ephemeral`), what notifies them with their account data
//! (`plop_accounts`).
//!
//! What is unread is what arrived after the user's join and after their mark: the further of `m.read` and `m.read.private`. A receipt
//! without a thread is a mark for the room; one for the main timeline or a thread is a further one for that part. An event of the user's
//! own is one for the part that it is in, so own events never count. Events that were redacted do not count.
//!
//! Invariants: a count says what the user's rules as they are now say of the events up to the position, so it needs no rows of its own and no
//! repair after a restart. Under the default rules, a muted room or one with mentions only, it is a difference of totals, whose cost does not
//! depend on the number of events. Other rules are asked once about each event, at most [`MAX_EVALUATED`] a call.

mod by_rules;
mod by_totals;
mod counts;
mod marks;
pub mod notifications;
mod question;
mod redacted;
mod setting;
mod unread;
mod user_rules;

pub use by_rules::MAX_EVALUATED;
pub use counts::{Counts, RoomCounts};
pub use unread::{NotifiedUser, Unread};
