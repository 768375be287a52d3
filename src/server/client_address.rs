//! Where a request comes from: the peer of the connection, or what the admin's own reverse proxy says.
//!
//! Invariant: a header is believed only when it was added by a proxy of `server.trusted_proxies`; read from the right,
//! the first address that is none of them is the client, whatever stands to its left.

use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::header::FORWARDED;
use plop_config::sections::{ProxyHeader, Server};

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The other end of the connection; an extension of each request.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(pub IpAddr);

/// The address of the client that sent a request with these headers over a connection from `peer`.
pub fn client_address(config: &Server, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut client = peer;
    let (name, read): (_, fn(&str) -> Option<IpAddr>) = match config.proxy_header {
        ProxyHeader::XForwardedFor => (X_FORWARDED_FOR, |hop| hop.trim().parse().ok()),
        ProxyHeader::Forwarded => (FORWARDED.as_str(), forwarded_for),
    };
    // Several headers are one list (RFC 9110, section 5.3).
    let lists = headers.get_all(name).iter().rev();
    for hop in lists.flat_map(|list| list.to_str().unwrap_or_default().rsplit(',')) {
        if !config.trusts_proxy(client) {
            break;
        }
        let Some(address) = read(hop) else { break };
        client = address;
    }
    client
}

/// The address in an element of `Forwarded` (RFC 7239, sections 4 and 6). What a proxy adds stands at the right and has no comma, whatever is to its left: so
/// quotes, which a client could leave open, do not join elements.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut nodes = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    let node = nodes.next()?.1.trim().trim_matches('"');
    let address = match node.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => node.split_once(':').map_or(node, |(address, _)| address),
    };
    address.parse().ok()
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
            headers.append(X_FORWARDED_FOR, list.parse().unwrap());
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

    /// Row 134 of the hostile input.
    #[test]
    fn row_134_the_other_header_is_believed_where_the_proxies_write_that_one() {
        let server = Server { proxy_header: ProxyHeader::Forwarded, ..config("10.0.0.0/8") };
        let client = |peer: &str, lists: &[&str]| {
            let mut headers = HeaderMap::new();
            headers.append(X_FORWARDED_FOR, "6.6.6.6".parse().unwrap());
            for list in lists {
                headers.append(FORWARDED, list.parse().unwrap());
            }
            client_address(&server, peer.parse().unwrap(), &headers).to_string()
        };
        for (list, address) in [
            ("for=6.6.6.6, for=203.0.113.5;proto=https", "203.0.113.5"),
            ("for=203.0.113.5:4711, By=x;For=10.9.9.9", "203.0.113.5"),
            ("for=\"[2001:db8::7]:4711\"", "2001:db8::7"),
            ("for=\"6.6.6.6, for=203.0.113.5", "203.0.113.5"),
            ("for=6.6.6.6, for=_hidden", "10.0.0.1"),
            ("for=6.6.6.6, proto=https", "10.0.0.1"),
            ("for=\"[::1", "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", &[list]), address, "{list}");
        }
        assert_eq!(client("203.0.113.9", &["for=1.1.1.1"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_is_no_address_ends_the_search() {
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &["203.0.113.5, unknown, 10.9.9.9"]), "10.9.9.9");
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &[]), "10.0.0.1");
    }
}
