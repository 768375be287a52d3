//! Row 76 of the hostile input: each way to read an event, with each history visibility, by users in every standing.
//!
//! What is to be expected stands in one table ([`expected`]), which is written from the specification; what happens in the room is one script
//! ([`script`]). A way to read that is new gets a test here.

mod children;
mod elsewhere;
mod every_way;
mod expected;
mod finding;
mod history;
mod left;
mod outside;
mod reader;
mod said;
mod script;
mod sliding;
mod state;
mod syncing;
