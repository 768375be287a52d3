//! The guarded client against servers on loopback and names of our own.

mod guarding;
mod limiting;
mod web;
