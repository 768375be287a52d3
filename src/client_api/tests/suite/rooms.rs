//! The chapter "Rooms".

mod aliases;
mod creating;
mod directory;
mod entering;
mod invite_filters;
mod leaving;
mod levels;
mod membership;
mod power_levels;
mod spaces;
mod summaries;
mod upgrading;
