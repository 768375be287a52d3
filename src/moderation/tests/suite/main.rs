//! Reports, on the Memory engine with a simulated clock.

mod reports;
mod schema;
