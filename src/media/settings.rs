//! What an administrator chose about media.

use std::time::Duration;

use plop_outbound::{Client, Url};

/// What an administrator chose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The largest file, in bytes.
    pub max_upload: u64,
    /// What one user may have here.
    pub quota: Quota,
    pub retention: Retention,
    /// How much is announced and not uploaded, of one user.
    pub max_pending: usize,
    /// How long what is announced is waited for.
    pub pending_lifetime: Duration,
    /// The largest picture that is decoded, in pixels.
    pub max_pixels: u64,
    /// Threads that decode pictures.
    pub decoders: usize,
}

/// What one user may have here; 0 is as much as there is room for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quota {
    pub bytes: u64,
    pub files: u64,
}

/// For how long what nobody asks for is kept; `None` is for ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retention {
    /// What users uploaded.
    pub uploads: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_upload: 50 << 20,
            quota: Quota::default(),
            retention: Retention::default(),
            max_pending: 100,
            pending_lifetime: Duration::from_secs(24 * 60 * 60),
            max_pixels: 40_000_000,
            decoders: 2,
        }
    }
}

/// How previews of addresses are made.
#[derive(Clone)]
pub struct Previewing {
    pub client: Client,
    /// The only hosts that are asked, with all below them; `None` is every host.
    pub allowed: Option<Hosts>,
    /// Hosts that are not asked, whatever else is said.
    pub denied: Hosts,
    /// For how long a preview is kept.
    pub lifetime: Duration,
    /// How much of pictures is kept, in bytes.
    pub max_picture_bytes: u64,
}

/// Names of hosts, each with all below it.
#[derive(Clone, Debug, Default)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// International names in Punycode, as they are in addresses.
    pub fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    fn hold(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        self.0.iter().any(|name| {
            host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}

impl Previewing {
    /// Whether an administrator lets it be asked for.
    pub(crate) fn allows(&self, url: &Url) -> bool {
        !self.denied.hold(url) && self.allowed.as_ref().is_none_or(|allowed| allowed.hold(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row 82 of the hostile input: both what is meant and what is not.
    #[test]
    fn row_82_a_host_is_named_with_all_below_it_and_nothing_beside() {
        let named = ["Example.ORG", "xn--mnchen-3ya.example", "10.0.0.1", "[::1]"].map(str::to_owned);
        let named = Hosts::new(&named);
        let holds = |url: &str| named.hold(&Url::parse(url).expect("an address"));
        let those = [
            "http://example.org/",
            "https://EXAMPLE.org.:8080/x",
            "http://a.b.example.org/",
            "http://m\u{fc}nchen.example/",
            "http://xn--mnchen-3ya.example/",
            "http://0xa000001/",
            "http://[0::1]/",
        ];
        for url in those {
            assert!(holds(url), "{url}");
        }
        let others = ["http://anexample.org/", "http://org/", "http://example.org.evil/", "http://10.0.0.2/"];
        for url in others {
            assert!(!holds(url), "{url}");
        }
    }
}
