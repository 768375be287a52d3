//! Files (client-server API, "Content repository").

mod downloading;
mod previews;
mod thumbnails;
mod uploading;

use http::Response;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;

use crate::bed::{Bed, User};

/// The path of an `mxc://` address behind that of an endpoint.
pub fn path(endpoint: &str, address: &str) -> String {
    format!("{endpoint}/{}", address.strip_prefix("mxc://").expect("an address"))
}

pub const DOWNLOAD: &str = "/_matrix/client/v1/media/download";

impl Bed {
    /// Uploads a file and returns its address.
    pub async fn upload(&self, user: &User, content_type: &str, name: &str, bytes: Vec<u8>) -> String {
        let query = if name.is_empty() { String::new() } else { format!("?filename={name}") };
        let mut call = self.post(&format!("/_matrix/media/v3/upload{query}")).by(user).text(bytes);
        call.request.headers_mut().insert(CONTENT_TYPE, content_type.parse().expect("a header"));
        let answer = call.await.ok();
        answer["content_uri"].as_str().expect("an address").to_owned()
    }
}

/// The bytes of an answer.
pub async fn bytes(answer: Response<axum::body::Body>) -> Vec<u8> {
    answer.into_body().collect().await.expect("a body").to_bytes().to_vec()
}
