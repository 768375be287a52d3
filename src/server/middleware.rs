//! What surrounds every request: its id, its span, its figures, CORS, the net under panics, the limit of its body.
//!
//! Owns: the order of the layers. Does not own: authentication and rate limits, which belong to the API's chapters.
//!
//! Invariants: labels of metrics are routes and known methods, never paths, so their number is bounded; a query is
//! never logged, it may carry an access token.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use metrics::{counter, gauge, histogram};
use plop_base::{Clock, Random};
use plop_client_api::ClientAddress;
use plop_config::Config;
use plop_config::sections::Server;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any, CorsLayer};
use tracing::{Instrument as _, debug, info_span};

use super::client_address::{PeerAddress, client_address};
use super::responses;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// 95 bits: unique in any log that is ever searched.
const REQUEST_ID_LENGTH: usize = 16;

/// What the layers need; cheap to clone.
#[derive(Clone)]
pub struct Layers {
    clock: Clock,
    random: Random,
    server: Server,
    body_bytes: usize,
}

impl Layers {
    pub fn new(config: &Config, clock: &Clock, random: &Random) -> Self {
        Self {
            clock: clock.clone(),
            random: random.clone(),
            server: config.server.clone(),
            body_bytes: usize::try_from(config.limits.body_kib.get())
                .unwrap_or(usize::MAX)
                .saturating_mul(1024),
        }
    }

    /// `routes`, with answers for everything that is not among them, inside all layers.
    pub fn around(&self, routes: Router) -> Router {
        // The last one is the outermost.
        routes
            .fallback(responses::unrecognized_path)
            .method_not_allowed_fallback(responses::unrecognized_method)
            .layer(DefaultBodyLimit::max(self.body_bytes))
            .layer(CatchPanicLayer::custom(responses::panicked))
            .layer(cors())
            .layer(from_fn_with_state(self.clone(), observe))
    }
}

/// Client-server API, "Web Browser Clients": any origin, these methods and headers.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS])
        .allow_headers([
            HeaderName::from_static("x-requested-with"),
            header::CONTENT_TYPE,
            header::AUTHORIZATION,
        ])
}

/// Gives the request its id and span, and counts it.
async fn observe(State(layers): State<Layers>, mut request: Request, next: Next) -> Response {
    let id = layers.random.token(REQUEST_ID_LENGTH);
    let method = known_method(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str).to_owned();
    let peer = request.extensions().get::<PeerAddress>().map(|peer| peer.0);
    let client = peer.map(|peer| client_address(&layers.server, peer, request.headers()));
    if let Some(client) = client {
        request.extensions_mut().insert(ClientAddress(client));
    }
    let span = info_span!("request", id, method, route, client = client.map(tracing::field::display));

    let in_flight = InFlight::enter();
    let started = layers.clock.monotonic();
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = layers.clock.monotonic().saturating_sub(started);
    drop(in_flight);

    let status = response.status().as_u16();
    span.in_scope(|| debug!(status, took_ms = millis(took), "answered"));
    counter!("plop_http_requests_total", "method" => method, "route" => route.clone(), "status" => status.to_string())
        .increment(1);
    histogram!("plop_http_request_seconds", "method" => method, "route" => route).record(took.as_secs_f64());
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Counts a request while it is being answered; also one whose client went away, which drops the future.
struct InFlight;

impl InFlight {
    fn enter() -> Self {
        gauge!("plop_http_requests_in_flight").increment(1);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!("plop_http_requests_in_flight").decrement(1);
    }
}

/// The method as a label: a client can invent methods, but not labels.
fn known_method(method: &Method) -> &'static str {
    let known = [
        (Method::GET, "GET"),
        (Method::POST, "POST"),
        (Method::PUT, "PUT"),
        (Method::DELETE, "DELETE"),
        (Method::HEAD, "HEAD"),
        (Method::OPTIONS, "OPTIONS"),
        (Method::PATCH, "PATCH"),
    ];
    known.iter().find(|(known, _)| known == method).map_or("other", |(_, label)| label)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
