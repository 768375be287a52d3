//! What every engine does alike.

mod commits;
mod limits;
mod positions;
mod reads;
