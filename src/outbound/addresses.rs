//! Which addresses requests may go to.
//!
//! Owns: the table of networks that are not the public internet, and the lists that open some of them and close others. Does not own: looking names up.
//!
//! Invariant: what is not known to be public is refused: of IPv6 only `2000::/3` is, and of that no range that leads elsewhere (6to4, Teredo).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Of IPv4, what is not public (IANA's registry of special-purpose addresses, and multicast).
const CLOSED_V4: [(Ipv4Addr, u8); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // this host
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // shared by carriers
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local, metadata of clouds
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, broadcast
];

/// Of IPv6, what is public at all.
const OPEN_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// And what of that is not.
const CLOSED_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, Teredo
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// Which addresses may be reached: public ones and those that an administrator opened, without those that one closed.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    open: Vec<IpNet>,
    closed: Vec<IpNet>,
}

impl Guard {
    /// `open` may be reached although it is not public; `closed` may not, whatever else is said.
    pub fn new(open: Vec<IpNet>, closed: Vec<IpNet>) -> Self {
        Self { open, closed }
    }

    /// Whether an address may be reached. An IPv4 address in the form of an IPv6 one counts as what it is.
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let is_in = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&address));
        !is_in(&self.closed) && (is_in(&self.open) || is_public(address))
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !CLOSED_V4.iter().any(|&network| holds_v4(network, address)),
        IpAddr::V6(address) => {
            holds_v6(OPEN_V6, address) && !CLOSED_V6.iter().any(|&network| holds_v6(network, address))
        }
    }
}

fn holds_v4((network, prefix): (Ipv4Addr, u8), address: Ipv4Addr) -> bool {
    Ipv4Net::new(network, prefix).is_ok_and(|network| network.contains(&address))
}

fn holds_v6((network, prefix): (Ipv6Addr, u8), address: Ipv6Addr) -> bool {
    Ipv6Net::new(network, prefix).is_ok_and(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row 98 of the hostile input: the ranges.
    #[test]
    fn row_98_only_public_addresses_are_reached() {
        let guard = Guard::default();
        let allows = |text: &str| guard.allows(text.parse().expect("an address"));
        let closed = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for address in closed {
            assert!(!allows(address), "{address}");
        }
        for address in
            ["1.1.1.1", "100.128.0.1", "172.32.0.1", "198.20.0.1", "::ffff:8.8.8.8", "2606:4700::1111"]
        {
            assert!(allows(address), "{address}");
        }
    }

    #[test]
    fn the_allow_list_opens_what_it_names_and_nothing_else() {
        let open = ["127.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network"));
        let guard = Guard::new(open.to_vec(), Vec::new());
        let allows = |text: &str| guard.allows(text.parse().expect("an address"));
        assert!(allows("127.0.0.1") && allows("::ffff:127.0.0.1") && allows("fd00::1"));
        assert!(!allows("10.0.0.1") && !allows("::1") && !allows("fc00::1"));
    }

    #[test]
    fn what_is_closed_stays_closed() {
        let network = |text: &str| text.parse().expect("a network");
        let guard =
            Guard::new(vec![network("10.0.0.0/8")], vec![network("10.1.0.0/16"), network("1.1.1.1/32")]);
        let allows = |text: &str| guard.allows(text.parse().expect("an address"));
        assert!(allows("10.2.0.1") && allows("1.1.1.2"));
        assert!(!allows("10.1.0.1") && !allows("1.1.1.1") && !allows("::ffff:1.1.1.1"));
    }
}
