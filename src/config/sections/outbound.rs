//! `[outbound]`: requests that this server makes because others said so.

use crate::schema::section;
use crate::sections::IpNetwork;

section! {
    /// Requests that this server makes because others said so: previews of addresses, and later other servers.
    pub struct Outbound {
        /// Networks that may be reached although they are not public, for example "10.1.0.0/16". Whoever uses this server can make it
        /// ask for anything there.
        pub allow: Vec<IpNetwork> = Vec::new(),
        /// Networks that may not be reached, whatever else is said. Name this machine's own public address here if it gives itself more
        /// than it gives others.
        pub deny: Vec<IpNetwork> = Vec::new(),
    }
}
