//! Requests to the API, and what comes back.

use std::future::IntoFuture;
use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use plop_client_api::ClientAddress;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::spec;

/// A request that is being put together; awaited, it is sent.
pub struct Call {
    router: Router,
    pub request: Request<Body>,
    /// The beginning of the body, for a failed assertion.
    shown: String,
}

impl Call {
    pub fn new(router: &Router, method: Method, path: &str, from: IpAddr) -> Self {
        let request = Request::builder().method(method).uri(path).extension(ClientAddress(from));
        let request = request.body(Body::empty()).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { router: router.clone(), request, shown: String::new() }
    }

    /// With an access token.
    pub fn token(mut self, token: &str) -> Self {
        let value = format!("Bearer {token}").parse().expect("a header");
        self.request.headers_mut().insert(AUTHORIZATION, value);
        self
    }

    /// From another address.
    pub fn from(mut self, address: &str) -> Self {
        self.request.extensions_mut().insert(ClientAddress(address.parse().expect("an address")));
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.text(body.to_string())
    }

    /// With a body that need not be JSON.
    pub fn text(mut self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        self.shown = String::from_utf8_lossy(&body[..body.len().min(100)]).into_owned();
        self.request.headers_mut().insert(CONTENT_TYPE, "application/json".parse().expect("a header"));
        *self.request.body_mut() = Body::from(body);
        self
    }

    /// The answer, of which only the head was read.
    pub async fn open(self) -> Response<Body> {
        self.router.oneshot(self.request).await.expect("an answer")
    }

    async fn send(self) -> Answer {
        let (method, uri) = (self.request.method().clone(), self.request.uri().to_string());
        let name = format!("{method} {uri} {}", self.shown);
        let answer = self.router.oneshot(self.request).await.expect("an answer");
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        spec::check(&method, &uri, head.status, &body);
        Answer { name, status: head.status, headers: head.headers, body }
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Of the request, for a failed assertion.
    name: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// `null` if it is no JSON.
    pub body: Value,
}

impl Answer {
    /// The body of a request that was carried out.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}: {}", self.name, self.body);
        self.body
    }

    /// The body of a request that was not.
    #[track_caller]
    pub fn refused(self, status: u16, errcode: &str) -> Value {
        let (name, body) = (&self.name, &self.body);
        assert_eq!(
            (self.status.as_u16(), body["errcode"].as_str()),
            (status, Some(errcode)),
            "{name}: {body}"
        );
        assert!(body["error"].as_str().is_some_and(|text| !text.is_empty()), "{name}: {body}");
        self.body
    }

    /// The challenge of interactive authentication.
    #[track_caller]
    pub fn challenged(self) -> Value {
        let (name, body) = (&self.name, &self.body);
        assert_eq!(self.status, StatusCode::UNAUTHORIZED, "{name}: {body}");
        assert!(body["flows"].is_array() && body["params"].is_object(), "{name}: {body}");
        assert!(body["session"].is_string(), "{name}: {body}");
        self.body
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }
}
