//! `GET /voip/turnServer`.
//!
//! Invariant: what is told lets into the TURN servers and nowhere else; made with a secret, it is one user's and ends by itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use plop_base::{Actor, Clock};
use serde::Serialize;
use sha1::Sha1;

use crate::error::ApiError;
use crate::extract::{Json, Session};

/// Servers that relay calls, and how clients prove to them who they are.
#[derive(Clone, Debug)]
pub struct Turn {
    pub uris: Vec<String>,
    pub access: TurnAccess,
    /// How long clients may use what they are told.
    pub lifetime: Duration,
    pub for_guests: bool,
}

/// What TURN servers ask for. Not to be printed.
#[derive(Clone)]
pub enum TurnAccess {
    /// What this server and they know: who shows a time that is to come, with its MAC, is let in ("TURN REST API", coturn's
    /// `use-auth-secret`).
    Secret(String),
    /// The same name and password of everybody.
    Fixed { username: String, password: String },
}

impl fmt::Debug for TurnAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TurnAccess(..)")
    }
}

/// The answer; empty where there are no such servers, as Synapse answers and clients know it.
#[derive(Serialize)]
pub struct Answer {
    #[serde(flatten)]
    credentials: Option<Credentials>,
}

#[derive(Serialize)]
struct Credentials {
    username: String,
    password: String,
    uris: Vec<String>,
    /// In seconds.
    ttl: u64,
}

/// `GET /_matrix/client/v3/voip/turnServer` (client-server API, "Voice over IP"). For users.
pub async fn credentials(
    State(turn): State<Option<Arc<Turn>>>,
    State(clock): State<Clock>,
    session: Session,
) -> Result<Json<Answer>, ApiError> {
    let is_guest = matches!(session.actor(), Actor::Guest { .. });
    let Some(turn) = turn.filter(|turn| turn.for_guests || !is_guest) else {
        return Ok(Json(Answer { credentials: None }));
    };
    let (username, password) = match &turn.access {
        TurnAccess::Fixed { username, password } => (username.clone(), password.clone()),
        TurnAccess::Secret(secret) => {
            let until = clock.now().plus(turn.lifetime).0 / 1_000;
            let username = format!("{until}:{}", session.user()?);
            let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).map_err(ApiError::internal)?;
            mac.update(username.as_bytes());
            (username, STANDARD.encode(mac.finalize().into_bytes()))
        }
    };
    let (uris, ttl) = (turn.uris.clone(), turn.lifetime.as_secs());
    Ok(Json(Answer { credentials: Some(Credentials { username, password, uris, ttl }) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_with_turn_servers_is_not_printed() {
        let fixed = TurnAccess::Fixed { username: "user".to_owned(), password: "hidden".to_owned() };
        for access in [TurnAccess::Secret("hidden".to_owned()), fixed] {
            assert!(!format!("{access:?}").contains("hidden"));
        }
    }
}
