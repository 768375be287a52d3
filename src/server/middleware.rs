//! What surrounds every request: its id, its span, its figures, CORS, the net under panics.
//!
//! Owns: the order of the layers. Does not own: authentication, rate limits and limits of bodies, which are the APIs'.
//!
//! Invariants: labels of metrics are routes and known methods, never paths, so their number is bounded; a query is
//! never logged, it may carry an access token.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use metrics::{counter, gauge, histogram};
use plop_base::{Clock, Random};
use plop_client_api::{ClientAddress, Kept};
use plop_config::Config;
use plop_config::sections::Server;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any, CorsLayer};
use tracing::{Instrument as _, Span, debug, info_span};

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
}

impl Layers {
    pub fn new(config: &Config, clock: &Clock, random: &Random) -> Self {
        Self { clock: clock.clone(), random: random.clone(), server: config.server.clone() }
    }

    /// `routes`, with answers for everything that is not among them, inside all layers.
    pub fn around(&self, routes: Router) -> Router {
        // The last one is the outermost.
        routes
            .fallback(responses::unrecognized_path)
            .method_not_allowed_fallback(responses::unrecognized_method)
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

    let in_flight = InFlight::enter(&layers.clock, method, route, span.clone());
    let mut response = next.run(request).instrument(span).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let in_flight = in_flight.answered(response.status());
    response.map(|body| Body::new(Kept::new(body, in_flight)))
}

/// A request until its answer has been sent, or nobody takes it any more: an answer may be read from the database while it is sent.
struct InFlight {
    clock: Clock,
    started: Duration,
    method: &'static str,
    route: String,
    status: Option<StatusCode>,
    span: Span,
}

impl InFlight {
    fn enter(clock: &Clock, method: &'static str, route: String, span: Span) -> Self {
        gauge!("plop_http_requests_in_flight").increment(1);
        Self { clock: clock.clone(), started: clock.monotonic(), method, route, status: None, span }
    }

    fn answered(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!("plop_http_requests_in_flight").decrement(1);
        // A client that went away before its answer is none that was answered.
        let Some(status) = self.status else { return };
        let (method, status) = (self.method, status.as_u16());
        let took = self.clock.monotonic().saturating_sub(self.started);
        self.span.in_scope(|| debug!(status, took_ms = millis(took), "answered"));
        let (route, again) = (self.route.clone(), std::mem::take(&mut self.route));
        counter!("plop_http_requests_total", "method" => method, "route" => route, "status" => status.to_string())
            .increment(1);
        histogram!("plop_http_request_seconds", "method" => method, "route" => again)
            .record(took.as_secs_f64());
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
