//! Rank 0: what every other part is given instead of reaching for it.
//!
//! Owns: time ([`clock`]), randomness ([`random`]), who acts ([`actor`]), background work ([`tasks`]),
//! work that keeps a thread ([`blocking`]), how often somebody may do something ([`buckets`]) and how much of it at a time ([`shares`]), what
//! changed last when ([`changes`]), which addresses are one ([`network`]), how the process ends ([`exit`]) and the protocol's size limits ([`limits`]).
//!
//! Does not own: identifiers (they are ruma's), configuration, anything that reads or writes.
//!
//! Invariants: nothing here holds global state; a value of each type is made once by the composition root (or by
//! a test) and handed down. Only this crate asks the operating system for the time or for random bytes, and only
//! this crate spawns tasks; `clippy.toml` keeps the others from it.

pub mod actor;
pub mod blocking;
pub mod buckets;
pub mod changes;
pub mod clock;
pub mod exit;
pub mod limits;
pub mod network;
pub mod random;
pub mod shares;
pub mod tasks;

pub use actor::Actor;
pub use blocking::{BlockingPool, PoolEnded};
pub use clock::{Clock, UnixMillis};
pub use exit::Exit;
pub use network::Network;
pub use random::Random;
pub use tasks::{TaskKind, Tasks};
