//! Pages for people, where clients cannot show something themselves.
//!
//! Owns: the frame of a page, the headers that keep it harmless, the one way to put a text into it. Does not own: what any page says or does.
//!
//! Invariants: nobody else's page has it in a frame; it loads nothing, and runs nothing but a script of ours, which is named by its hash; its address, which
//! may be a secret, is told to nobody, and nothing keeps it. What came from outside is put into a page by [`escaped`] only.

use axum::response::{Html, IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};

use crate::error::ApiError;

/// A page.
pub struct Page<'a> {
    pub status: StatusCode,
    pub title: &'a str,
    /// HTML.
    pub content: &'a str,
    pub script: Option<&'static str>,
    /// What the page may do besides, as directives of a content security policy.
    pub may: &'static str,
}

impl Page<'_> {
    pub fn response(&self) -> Response {
        let (title, content) = (self.title, self.content);
        let script = self.script.map(|text| format!("<script>{text}</script>\n")).unwrap_or_default();
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n</head>\n\
             <body>\n{content}\n{script}</body>\n</html>\n"
        );
        let hash = self.script.map(|text| STANDARD.encode(Sha256::digest(text)));
        let script = hash.map(|hash| format!("; script-src 'sha256-{hash}'")).unwrap_or_default();
        with_headers((self.status, Html(html)).into_response(), &format!("{script}{}", self.may))
    }
}

/// Adds the headers that every page has, and redirections from one.
pub fn with_headers(mut response: Response, may: &str) -> Response {
    let policy = format!("default-src 'none'; frame-ancestors 'none'; base-uri 'none'{may}");
    let policy = match HeaderValue::from_str(&policy) {
        Ok(policy) => policy,
        Err(error) => return ApiError::internal(error).into_response(),
    };
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, value);
    }
    response
}

/// As the text of an element, or of an attribute between double quotes.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
