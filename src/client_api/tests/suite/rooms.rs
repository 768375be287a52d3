//! The chapter "Rooms".

mod aliases;
mod creating;
mod directory;
mod entering;
mod invite_filters;
mod membership;
mod spaces;
mod summaries;
mod upgrading;
