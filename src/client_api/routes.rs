//! Tables of routes.
//!
//! Owns: the form in which a chapter lists its endpoints, with what they cost, and the older prefix that clients still use for them. Does not own: the handlers.
//!
//! Invariant: what is served is what the tables list; the table can be read by a test.

use axum::handler::Handler;
use axum::routing::{MethodRouter, on};
use axum::{Extension, Router};
use http::Method;

use crate::api::Api;
use crate::budgets::Cost;

/// The stable prefixes, and those before version 1.1 of the specification, under which the same endpoints were and older clients look for them.
const PREFIXES: [(&str, &str); 2] =
    [("/_matrix/client/v3/", "/_matrix/client/r0/"), ("/_matrix/media/v3/", "/_matrix/media/r0/")];

/// Endpoints: method, path, handler. Paths are written as in the specification.
#[derive(Default)]
pub struct Routes {
    router: Router<Api>,
    listed: Vec<(Method, &'static str)>,
}

impl Routes {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    pub fn get<T: 'static>(self, path: &'static str, handler: impl Handler<T, Api>) -> Self {
        self.add(Method::GET, path, on(axum::routing::MethodFilter::GET, handler))
    }

    /// One that costs its user more than what its method says.
    pub fn costly_get<T: 'static>(
        self,
        path: &'static str,
        cost: Cost,
        handler: impl Handler<T, Api>,
    ) -> Self {
        let route = on(axum::routing::MethodFilter::GET, handler);
        self.add(Method::GET, path, route.route_layer(Extension(cost)))
    }

    /// The same.
    pub fn costly_post<T: 'static>(
        self,
        path: &'static str,
        cost: Cost,
        handler: impl Handler<T, Api>,
    ) -> Self {
        let route = on(axum::routing::MethodFilter::POST, handler);
        self.add(Method::POST, path, route.route_layer(Extension(cost)))
    }

    /// The same.
    pub fn costly_put<T: 'static>(
        self,
        path: &'static str,
        cost: Cost,
        handler: impl Handler<T, Api>,
    ) -> Self {
        let route = on(axum::routing::MethodFilter::PUT, handler);
        self.add(Method::PUT, path, route.route_layer(Extension(cost)))
    }

    pub fn put<T: 'static>(self, path: &'static str, handler: impl Handler<T, Api>) -> Self {
        self.add(Method::PUT, path, on(axum::routing::MethodFilter::PUT, handler))
    }

    pub fn post<T: 'static>(self, path: &'static str, handler: impl Handler<T, Api>) -> Self {
        self.add(Method::POST, path, on(axum::routing::MethodFilter::POST, handler))
    }

    pub fn delete<T: 'static>(self, path: &'static str, handler: impl Handler<T, Api>) -> Self {
        self.add(Method::DELETE, path, on(axum::routing::MethodFilter::DELETE, handler))
    }

    /// Both tables.
    pub fn and(mut self, mut other: Self) -> Self {
        self.listed.append(&mut other.listed);
        Self { router: self.router.merge(other.router), listed: self.listed }
    }

    /// What is listed, for tests that ask something of every endpoint.
    pub fn listed(&self) -> &[(Method, &'static str)] {
        &self.listed
    }

    pub(crate) fn into_router(self) -> Router<Api> {
        self.router
    }

    fn add(mut self, method: Method, path: &'static str, route: MethodRouter<Api>) -> Self {
        self.listed.push((method, path));
        let mut router = self.router.route(path, route.clone());
        let former =
            PREFIXES.iter().find_map(|(current, former)| Some((*former, path.strip_prefix(current)?)));
        if let Some((former, rest)) = former {
            router = router.route(&format!("{former}{rest}"), route);
        }
        Self { router, listed: self.listed }
    }
}
