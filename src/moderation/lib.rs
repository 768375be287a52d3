//! Rank 3: what users report to the administrators, and what administrators tell users.
//!
//! Owns: reports ([`reports`]), server notices ([`notices`]). Does not own: what administrators do about them, and the accounts and rooms that they are about.
//!
//! Invariants: whatever is stored here because a user asked for it has a named limit.

pub mod check;
pub mod notices;
pub mod reports;
pub mod schema;
