//! Rank 3: what comes and goes. Who is typing, who has read what, who is there.
//!
//! Owns: typing notifications ([`typing`]), read receipts ([`receipts`]), presence ([`presence`]). Does not own: events, memberships and who
//! shares a room (rooms), account data, the shape of what clients get.
//!
//! Invariants: nothing here is part of a room's graph and nothing here holds up a writer of a room; what is in memory is bounded
//! and starts anew with the process ([`LivePosition`]); what is stored is stored relaxed, so a power cut may take the last of it.

mod authority;
mod changes;
pub mod check;
mod deadlines;
pub mod presence;
pub mod receipts;
pub mod schema;
pub mod typing;

pub use authority::Forbidden;
pub use changes::{LivePosition, ProcessStart};
pub use presence::{Connection, Presence, PresenceError, PresenceReadError, PresenceSnapshot, PresenceState};
pub use receipts::{NewReceipt, Receipt, ReceiptError, ReceiptPage, Receipts};
pub use schema::{ReceiptKind, Thread};
pub use typing::Typing;
