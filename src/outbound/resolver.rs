//! Names become addresses, and only those that may be reached.
//!
//! Owns: the look-up and the filter behind it. Does not own: which addresses may be reached ([`crate::addresses`]), literal ones
//! ([`crate::client`]: the HTTP client asks nobody about them).
//!
//! Invariant: the connection is made to the addresses that came out of here, so a name that changes its mind gains nothing. A name that has a refused
//! address beside others is reached by the others.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use plop_base::blocking::BlockingPool;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::addresses::Guard;

/// Look-ups at a time; the operating system's resolver keeps a thread for each.
const LOOKUPS: usize = 32;

/// The name has no address that may be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoOpenAddress;

impl fmt::Display for NoOpenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name leads to no address that may be reached")
    }
}

impl std::error::Error for NoOpenAddress {}

/// How a name is looked up; another one in tests.
pub(crate) type Lookup = dyn Fn(&str) -> std::io::Result<Vec<SocketAddr>> + Send + Sync;

/// Looks names up and leaves out what may not be reached.
pub(crate) struct GuardedResolver {
    guard: Guard,
    lookup: Arc<Lookup>,
    pool: BlockingPool,
}

impl GuardedResolver {
    pub fn new(guard: Guard, lookup: Arc<Lookup>) -> Self {
        Self { guard, lookup, pool: BlockingPool::new(LOOKUPS) }
    }
}

/// Asks the operating system.
pub(crate) fn system(name: &str) -> std::io::Result<Vec<SocketAddr>> {
    // The port is the client's to fill in.
    (name, 0).to_socket_addrs().map(Iterator::collect)
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, lookup, pool) = (self.guard.clone(), Arc::clone(&self.lookup), self.pool.clone());
        Box::pin(async move {
            let found = pool.run(move || lookup(name.as_str())).await??;
            let open: Vec<SocketAddr> =
                found.into_iter().filter(|address| guard.allows(address.ip())).collect();
            if open.is_empty() {
                return Err(NoOpenAddress.into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}
