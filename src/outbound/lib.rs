//! Rank 0: the one way out: every request that this server makes because somebody else said so.
//!
//! Owns: which addresses may be reached ([`addresses`]), names that are looked up ([`resolver`]), redirects, limits of size and time ([`client`]).
//! Does not own: what is asked for, and what an answer means.
//!
//! Invariants:
//! - no connection goes to an address that [`Guard`] refuses: literal addresses are looked at before the request, those of names when the name is
//!   looked up, and the connection is made to just those; so is each redirect;
//! - an answer is read up to a number of bytes and a moment, which both count from the first request over all redirects;
//! - proxies of the environment, cookies and credentials in addresses do not exist here.

pub mod addresses;
pub mod client;
mod resolver;

pub use addresses::Guard;
pub use client::{Answer, Client, Limits, OutboundError, Settings, trusted};
pub use reqwest::Url;
