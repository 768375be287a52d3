//! Events that are sent later, on the Memory engine with a simulated clock.

mod acting;
mod bed;
mod limits;
mod members;
mod schema;
mod sending;
