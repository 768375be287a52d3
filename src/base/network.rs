//! Where a request comes from, as far as limits tell addresses apart.
//!
//! Owns: which addresses count as one. Does not own: what is limited, and which header of a proxy is believed.
//!
//! Invariant: IPv6 addresses count by their /64, which is what one customer gets.

use std::net::IpAddr;

/// Addresses that count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Network {
    V4([u8; 4]),
    /// The first 64 bits.
    V6([u8; 8]),
}

/// Whether an address is of this machine or of a private network: it may stand for many clients, behind a proxy that nobody told the server of.
pub fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

impl Network {
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::of(text.parse().expect("an address"))
    }

    /// Row 134 of the hostile input: limits keyed by IPv6 /64.
    #[test]
    fn row_134_addresses_count_by_their_network() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
