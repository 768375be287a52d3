//! What every answer has, whoever gave it: status, CORS, request id, bounded labels.

use axum::body::to_bytes;
use axum::http::Request as HttpRequest;
use axum::routing::get;
use plop_base::UnixMillis;
use tower::ServiceExt as _;

use super::*;

/// The layers around two routes.
fn app() -> Router {
    let layers = Layers::new(&Config::default(), &Clock::simulated(UnixMillis(0)), &Random::seeded(1));
    let routes = Router::new()
        .route("/rooms/{room}", get(async || "here"))
        .route("/panic", get(async || -> &'static str { panic!("deliberate") }));
    layers.around(routes)
}

async fn ask(method: &str, path: &str, body: Body) -> (Response, serde_json::Value) {
    let request = HttpRequest::builder().method(method).uri(path).header("origin", "https://app.example");
    let response = app().oneshot(request.body(body).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = to_bytes(body, 10_000).await.unwrap();
    let json = serde_json::from_slice(&body).unwrap_or_default();
    (Response::from_parts(head, Body::empty()), json)
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// Row 154 of the hostile input.
#[tokio::test(start_paused = true)]
async fn row_154_what_is_no_endpoint_is_404_or_405_unrecognized() {
    for (method, path, status) in [
        ("GET", "/rooms/1/", 404),
        ("GET", "//rooms/1", 404),
        ("GET", "/rooms//1", 404),
        ("GET", "/rooms/", 404),
        ("GET", "/_matrix/client/unstable/anything", 404),
        ("GET", "/_matrix/client/v3/initialSync", 404),
        ("GET", "/_matrix/client/v3/events", 404),
        ("TRACE", "/rooms/1", 405),
        ("PATCH", "/rooms/1%2F2", 405),
    ] {
        let (response, body) = ask(method, path, Body::empty()).await;
        assert_eq!(response.status(), status, "{method} {path}");
        assert_eq!(body["errcode"], "M_UNRECOGNIZED", "{method} {path}");
    }
    let (response, _) = ask("GET", "/rooms/1%2F2", Body::empty()).await;
    assert_eq!(response.status(), 200, "a slash in an id is no slash of the path");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_path_is_404_unrecognized_with_cors() {
    let (response, body) = ask("GET", "/_matrix/client/v3/nowhere", Body::empty()).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(body["errcode"], "M_UNRECOGNIZED");
    assert!(body["error"].is_string());
    assert_eq!(header(&response, "access-control-allow-origin"), Some("*"));
    assert_eq!(header(&response, "content-type"), Some("application/json"));
}

#[tokio::test(start_paused = true)]
async fn a_known_path_with_another_method_is_405_unrecognized_with_cors() {
    for method in ["DELETE", "BREW"] {
        let (response, body) = ask(method, "/rooms/1", Body::empty()).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(body["errcode"], "M_UNRECOGNIZED");
        assert_eq!(header(&response, "access-control-allow-origin"), Some("*"));
    }
}

/// Row 152 of the hostile input.
#[tokio::test(start_paused = true)]
async fn a_panic_is_500_unknown_and_says_nothing_of_itself() {
    let (response, body) = ask("GET", "/panic", Body::empty()).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(body["errcode"], "M_UNKNOWN");
    assert!(!body.to_string().contains("deliberate"));
    assert_eq!(header(&response, "access-control-allow-origin"), Some("*"));
    assert!(header(&response, "x-request-id").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_preflight_names_the_methods_and_headers_of_the_specification() {
    for path in ["/rooms/1", "/nowhere"] {
        let (response, _) = ask("OPTIONS", path, Body::empty()).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let methods = header(&response, "access-control-allow-methods").unwrap();
        assert_eq!(methods, "GET,POST,PUT,DELETE,OPTIONS");
        let headers = header(&response, "access-control-allow-headers").unwrap();
        assert_eq!(headers, "x-requested-with,content-type,authorization");
    }
}

/// Row 133 of the hostile input: any origin, none with credentials of the browser's.
#[tokio::test(start_paused = true)]
async fn row_133_no_origin_is_allowed_with_credentials() {
    for method in ["GET", "OPTIONS", "POST"] {
        let (response, _) = ask(method, "/rooms/1", Body::empty()).await;
        assert_eq!(header(&response, "access-control-allow-origin"), Some("*"), "{method}");
        assert_eq!(header(&response, "access-control-allow-credentials"), None, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_request_has_an_id_of_its_own_and_a_client_cannot_choose_it() {
    let request = || HttpRequest::get("/rooms/1").header("x-request-id", "mine").body(Body::empty()).unwrap();
    let app = app();
    let first = app.clone().oneshot(request()).await.unwrap();
    let second = app.oneshot(request()).await.unwrap();
    let (first, second) = (header(&first, "x-request-id").unwrap(), header(&second, "x-request-id").unwrap());
    assert_eq!(first.len(), REQUEST_ID_LENGTH);
    assert_ne!(first, second);
    assert_ne!(first, "mine");
}

#[test]
fn invented_methods_share_one_label() {
    assert_eq!(known_method(&Method::GET), "GET");
    assert_eq!(known_method(&Method::from_bytes(b"BREW").unwrap()), "other");
}
