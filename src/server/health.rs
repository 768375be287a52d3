//! `GET /health`: whether the process lives, takes requests, and takes writes.
//!
//! Owns: the answer for load balancers, container runtimes and people. No authentication: it says nothing about users.
//!
//! Invariant: a read-only store is no reason to restart the process (reads go on, and a restart on a full disk helps
//! nobody), so it is said in the body and by the metric `plop_store_read_only`; only a process that takes no
//! requests answers 503.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use plop_base::Tasks;
use plop_db::StoreState;
use serde::Serialize;
use tokio::sync::watch;

/// What the answer is made from.
#[derive(Clone)]
pub struct Health {
    tasks: Tasks,
    store: watch::Receiver<StoreState>,
}

/// The answer's body.
#[derive(Serialize)]
struct Report {
    /// The process answers.
    live: bool,
    /// It takes requests: it is not stopping, and the store can be read.
    ready: bool,
    /// Writes are refused with 503 at present.
    read_only: bool,
    /// Why they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Health {
    pub fn new(tasks: Tasks, store: watch::Receiver<StoreState>) -> Self {
        Self { tasks, store }
    }

    pub fn routes(&self) -> Router {
        Router::new().route("/health", get(health)).with_state(self.clone())
    }

    fn report(&self) -> Report {
        let store = self.store.borrow().clone();
        let stopped = matches!(store, StoreState::Stopped);
        Report {
            live: true,
            ready: !self.tasks.is_stopping() && !stopped,
            read_only: !matches!(store, StoreState::Writable),
            reason: match store {
                StoreState::ReadOnly { reason } => Some(reason.to_string()),
                StoreState::Writable | StoreState::Stopped => None,
            },
        }
    }
}

async fn health(State(health): State<Health>) -> Response {
    let report = health.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use plop_base::{Clock, Exit, Random, UnixMillis};
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(health: &Health) -> (StatusCode, serde_json::Value) {
        let request = Request::get("/health").body(Body::empty()).unwrap();
        let response = health.routes().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1_000).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn it_tells_ready_from_read_only_from_stopping() {
        let tasks = Tasks::new(Clock::simulated(UnixMillis(0)), Random::seeded(1));
        let (store, state) = watch::channel(StoreState::Writable);
        let health = Health::new(tasks.clone(), state);
        let (status, body) = ask(&health).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(body, serde_json::json!({ "live": true, "ready": true, "read_only": false }));

        store.send_replace(StoreState::ReadOnly { reason: "no space".into() });
        let (status, body) = ask(&health).await;
        assert_eq!(status, StatusCode::OK, "reads go on");
        assert_eq!(body["read_only"], true);
        assert_eq!(body["reason"], "no space");

        store.send_replace(StoreState::Writable);
        tasks.shut_down(Exit::Clean);
        assert_eq!(ask(&health).await.0, StatusCode::SERVICE_UNAVAILABLE);
        tasks.stop(Duration::ZERO).await;
    }
}
