//! Search in events, on the Memory engine with an index in memory.

mod bed;
mod finding;
mod following;
mod seeing;
