//! What the query of a request asks for besides the event that its body is.
//!
//! Owns: the one option that there is (application service API, "Timestamp massaging"), and the refusal of those that are not supported.
//!
//! Invariant: an option that changes what happens is honoured or refused. A delayed event that is sent at once would end a call that goes on.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use plop_base::limits::MAX_SAFE_INT;
use plop_base::{Actor, UnixMillis};

use crate::error::ApiError;

/// Options of other servers: delayed events (MSC4140), sticky events (MSC4354), and acting as a user of an application service.
const UNSUPPORTED: [&str; 6] = [
    "org.matrix.msc4140.delay",
    "org.matrix.msc4140.parent_delay_id",
    "org.matrix.msc4354.sticky_duration_ms",
    "org.matrix.msc4354.stick_duration_ms",
    "org.matrix.msc3202.device_id",
    "user_id",
];

/// Options of requests that send an event.
pub struct SendOptions {
    ts: Option<UnixMillis>,
}

impl SendOptions {
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
        let mut ts = None;
        for (name, value) in pairs {
            if UNSUPPORTED.contains(&name.as_str()) {
                return Err(ApiError::invalid_param(format_args!("`{name}` is not supported.")));
            }
            if name == "ts" {
                let time = value.parse().ok().filter(|ms| *ms <= MAX_SAFE_INT);
                ts = Some(UnixMillis(time.ok_or_else(|| ApiError::invalid_param("`ts` is no time."))?));
            }
        }
        Ok(Self { ts })
    }
}

impl<S: Sync> FromRequestParts<S> for SendOptions {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        Self::read(&pairs.map_err(|error| ApiError::invalid_param(error.body_text()))?)
    }
}
