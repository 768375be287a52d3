//! What the query of a request asks for besides the event that its body is.
//!
//! Owns: the options that there are (application service API, "Timestamp massaging"; the delay of the older dialect of MSC4140), and the refusal of those
//! that are not supported.
//!
//! Invariant: an option that changes what happens is honoured or refused. A delayed event that is sent at once would end a call that goes on.

use std::time::Duration;

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use plop_base::limits::MAX_SAFE_INT;
use plop_base::{Actor, UnixMillis};

use crate::error::ApiError;

/// The option that delays an event, in milliseconds.
const DELAY: &str = "org.matrix.msc4140.delay";

/// Options of other servers: groups of delayed events (MSC4140), sticky events (MSC4354), and acting as a user of an application service.
const UNSUPPORTED: [&str; 5] = [
    "org.matrix.msc4140.parent_delay_id",
    "org.matrix.msc4354.sticky_duration_ms",
    "org.matrix.msc4354.stick_duration_ms",
    "org.matrix.msc3202.device_id",
    "user_id",
];

/// Options of requests that send an event.
pub struct SendOptions {
    ts: Option<UnixMillis>,
    delay: Option<Duration>,
}

impl SendOptions {
    /// How much later the event is to be sent (MSC4140, before it had endpoints of its own).
    pub fn delay(&self) -> Option<Duration> {
        self.delay
    }

    /// For requests that cannot be delayed.
    pub fn at_once(&self) -> Result<(), ApiError> {
        match self.delay {
            None => Ok(()),
            Some(_) => Err(ApiError::invalid_param(format_args!("`{DELAY}` is not supported here."))),
        }
    }

    /// The time that the event is to claim.
    pub fn time(&self, actor: &Actor) -> Result<Option<UnixMillis>, ApiError> {
        match actor {
            Actor::AppService { .. } => Ok(self.ts),
            Actor::User { .. }
            | Actor::Guest { .. }
            | Actor::AdminAs { .. }
            | Actor::ShadowBanned { .. }
            | Actor::Server
            | Actor::ServerAs { .. } => match self.ts {
                None => Ok(None),
                Some(_) => Err(ApiError::forbidden("Only application services choose the time of an event.")),
            },
        }
    }

    fn read(pairs: &[(String, String)]) -> Result<Self, ApiError> {
        let (mut ts, mut delay) = (None, None);
        for (name, value) in pairs {
            if UNSUPPORTED.contains(&name.as_str()) {
                return Err(ApiError::invalid_param(format_args!("`{name}` is not supported.")));
            }
            if name == DELAY {
                let millis = value.parse().ok().filter(|millis| *millis <= MAX_SAFE_INT);
                let millis = millis.ok_or_else(|| ApiError::invalid_param("The delay is no number."))?;
                delay = Some(Duration::from_millis(millis));
            }
            if name == "ts" {
                let time = value.parse().ok().filter(|ms| *ms <= MAX_SAFE_INT);
                ts = Some(UnixMillis(time.ok_or_else(|| ApiError::invalid_param("`ts` is no time."))?));
            }
        }
        Ok(Self { ts, delay })
    }
}

impl<S: Sync> FromRequestParts<S> for SendOptions {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        Self::read(&pairs.map_err(|error| ApiError::invalid_param(error.body_text()))?)
    }
}
