//! Who has to make room where servers share a bounded number of places.

use std::collections::BTreeMap;

use ruma::ServerName;

/// The place to be given up: the oldest one of the server that has most of them, so that whoever takes many crowds out itself. Places are
/// given oldest first.
pub(super) fn crowded_out<'a>(servers: impl IntoIterator<Item = &'a ServerName>) -> Option<usize> {
    let mut places = BTreeMap::<&ServerName, (usize, usize)>::new();
    for (place, server) in servers.into_iter().enumerate() {
        let (count, _oldest) = places.entry(server).or_insert((0, place));
        *count += 1;
    }
    // Among equals the one whose place is the oldest.
    let most = places.into_values().max_by_key(|(count, oldest)| (*count, usize::MAX - oldest));
    most.map(|(_, oldest)| oldest)
}

#[cfg(test)]
mod tests {
    use ruma::ServerName;

    use super::crowded_out;

    #[test]
    fn the_oldest_place_of_the_server_with_most_is_given_up() {
        let cases: [(&[&str], Option<usize>); 5] = [
            (&[], None),
            (&["a"], Some(0)),
            (&["a", "b", "b"], Some(1)),
            (&["b", "a", "a", "b", "a"], Some(1)),
            (&["a", "b", "b", "a"], Some(0)),
        ];
        for (servers, expected) in cases {
            let servers = servers.iter().map(|name| <&ServerName>::try_from(*name).expect("a name"));
            assert_eq!(crowded_out(servers.clone()), expected, "{:?}", servers.collect::<Vec<_>>());
        }
    }
}
