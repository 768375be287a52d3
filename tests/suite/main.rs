//! What only the whole shows: the tree's own rules, the generated example, and the built binary as a process.

#![allow(clippy::disallowed_methods, reason = "real processes in real time")]

mod bucket;
mod example_config;
mod figures;
mod health_check;
mod hostile_http;
mod plop;
mod process;
mod tidy;
mod tls;
