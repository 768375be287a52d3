//! The user directory on the Memory engine.

mod bed;
mod finding;
mod mutual;
mod schema;
