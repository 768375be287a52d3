//! What clients are told for calls, from the configuration.

use std::time::Duration;

use plop_client_api::{Transport, Transports, Turn, TurnAccess};
use plop_config::sections::Calls;

/// Servers that relay calls, if there are any. The configuration was checked: there is one kind of access beside their addresses.
pub fn turn(config: &Calls) -> Option<Turn> {
    if config.turn_uris.is_empty() {
        return None;
    }
    let access = match (&config.turn_secret, &config.turn_user, &config.turn_password) {
        (Some(secret), _, _) => TurnAccess::Secret(secret.reveal().to_owned()),
        (None, Some(username), Some(password)) => {
            TurnAccess::Fixed { username: username.clone(), password: password.reveal().to_owned() }
        }
        (None, None, _) | (None, _, None) => return None,
    };
    Some(Turn {
        uris: config.turn_uris.clone(),
        access,
        lifetime: Duration::from_secs(u64::from(config.turn_minutes.get()) * 60),
        for_guests: config.turn_for_guests,
    })
}

/// Where the calls of rooms take place.
pub fn transports(config: &Calls) -> Transports {
    let urls = config.livekit_urls.iter().cloned();
    Transports(urls.map(|livekit_service_url| Transport::LiveKit { livekit_service_url }).collect())
}
