//! `[calls]`: what clients need for calls besides rooms.

use std::num::NonZeroU32;

use super::server::is_base_url;
use crate::schema::section;
use crate::{Problems, Secret};

section! {
    /// What clients need for calls besides rooms.
    pub struct Calls {
        /// Addresses of TURN servers, which relay calls between two where there is no direct way, for example
        /// "turn:turn.example.org?transport=udp". None: calls between networks that hide their machines fail.
        pub turn_uris: Vec<String> = Vec::new(),
        /// What the TURN servers and this server know (coturn: `static-auth-secret`), and nobody else. Each user gets a name
        /// and a password of their own, made with it.
        pub turn_secret: Option<Secret> = None,
        /// For TURN servers with a fixed name in the place of a secret: the name. Every user is told both.
        pub turn_user: Option<String> = None,
        /// The password beside it.
        pub turn_password: Option<Secret> = None,
        /// For how many minutes clients may use what they are told before they ask again.
        pub turn_minutes: NonZeroU32 = const { NonZeroU32::new(1_440).unwrap() },
        /// Whether guests are told of the TURN servers, too.
        pub turn_for_guests: bool = false,
        /// Addresses of services that let users of Element Call into LiveKit servers (MSC4143, lk-jwt-service), for example
        /// "https://calls.example.org". The first is where calls begin.
        pub livekit_urls: Vec<String> = Vec::new(),
    }
}

/// What the address of a TURN server begins with.
const TURN_SCHEMES: [&str; 2] = ["turn:", "turns:"];

impl Calls {
    pub(crate) fn validate(&self, problems: &mut Problems) {
        let is_turn = |uri: &String| {
            let host = TURN_SCHEMES.iter().find_map(|scheme| uri.strip_prefix(scheme)).unwrap_or_default();
            !host.is_empty() && uri.bytes().all(|byte| byte.is_ascii_graphic())
        };
        for uri in self.turn_uris.iter().filter(|uri| !is_turn(uri)) {
            problems.add("calls.turn_uris", format!("`{uri}` is no address such as turn:turn.example.org"));
        }
        if self.turn_user.is_some() != self.turn_password.is_some() {
            problems.add("calls.turn_user", "a user and a password are set together");
        }
        if self.turn_secret.is_some() && self.turn_user.is_some() {
            problems.add("calls.turn_secret", "TURN servers have either a secret or a user with a password");
        }
        if self.turn_secret.as_ref().is_some_and(|secret| secret.reveal().is_empty()) {
            problems.add("calls.turn_secret", "an empty secret is one that everybody knows");
        }
        if !self.turn_uris.is_empty() && self.turn_secret.is_none() && self.turn_user.is_none() {
            problems.add("calls.turn_uris", "a secret is needed beside it, or a user with a password");
        }
        for url in self.livekit_urls.iter().filter(|url| !is_base_url(url)) {
            problems.add(
                "calls.livekit_urls",
                format!("`{url}` is no address such as https://calls.example.org"),
            );
        }
    }
}
