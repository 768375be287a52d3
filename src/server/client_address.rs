//! Where a request comes from: the peer of the connection, or what the admin's own reverse proxy says.
//!
//! Invariant: a header is believed only when it was added by a proxy of `server.trusted_proxies`; read from the right,
//! the first address that is none of them is the client, whatever stands to its left.

use std::net::IpAddr;

use axum::http::HeaderMap;
use plop_config::sections::Server;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The other end of the connection; an extension of each request.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(pub IpAddr);

/// The address of the client that sent a request with these headers over a connection from `peer`.
pub fn client_address(config: &Server, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut client = peer;
    // Several headers are one list (RFC 9110, section 5.3).
    let lists = headers.get_all(FORWARDED_FOR).iter().rev();
    for hop in lists.flat_map(|list| list.to_str().unwrap_or_default().rsplit(',')) {
        if !config.trusts_proxy(client) {
            break;
        }
        let Ok(address) = hop.trim().parse() else { break };
        client = address;
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(trusted: &str) -> Server {
        let trusted_proxies = vec![trusted.to_owned().try_into().unwrap()];
        Server { trusted_proxies, ..Server::default() }
    }

    fn client(trusted: &str, peer: &str, lists: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(FORWARDED_FOR, list.parse().unwrap());
        }
        client_address(&config(trusted), peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_stranger_cannot_choose_an_address() {
        assert_eq!(client("127.0.0.1", "203.0.113.5", &["1.1.1.1"]), "203.0.113.5");
    }

    #[test]
    fn the_first_address_from_the_right_that_is_no_proxy_is_the_client() {
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &["6.6.6.6, 203.0.113.5, 10.9.9.9"]), "203.0.113.5");
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &["6.6.6.6", "203.0.113.5", "10.9.9.9"]), "203.0.113.5");
        assert_eq!(client("::1", "::1", &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(client("127.0.0.1", "::ffff:127.0.0.1", &["203.0.113.5"]), "203.0.113.5");
    }

    #[test]
    fn what_is_no_address_ends_the_search() {
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &["203.0.113.5, unknown, 10.9.9.9"]), "10.9.9.9");
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &[]), "10.0.0.1");
    }
}
