//! Row 76 of the hostile input: each way to read an event, with each history visibility, by users in every standing.
//!
//! What is to be expected stands in one table ([`expected`]), which is written from the specification; what happens in the room is one script
//! ([`script`]). A way to read that is new gets a test here.

mod elsewhere;
mod expected;
mod history;
mod script;
mod state;
mod syncing;
