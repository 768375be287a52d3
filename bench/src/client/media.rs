//! Media: uploads, downloads, thumbnails.

use bytes::Bytes;
use hyper::Method;
use serde::Deserialize;

use super::{Session, parse};
use crate::http::Failure;

impl Session {
    /// Uploads a file and gives what follows `mxc://` in its name: the server and the id.
    pub async fn upload(&mut self, content_type: &'static str, bytes: Bytes) -> Result<String, Failure> {
        #[derive(Deserialize)]
        struct Uploaded {
            content_uri: String,
        }
        let token = &self.account.token;
        let path = "/_matrix/media/v3/upload?filename=load";
        let answer = self.connection.send(Method::POST, path, Some(token), Some(content_type), bytes).await?;
        let uri = parse::<Uploaded>(&answer)?.content_uri;
        let name = uri.strip_prefix("mxc://").map(ToOwned::to_owned);
        name.ok_or_else(|| Failure::Unexpected(format!("the name {uri}")))
    }

    /// The bytes of a file.
    pub async fn download(&mut self, name: &str) -> Result<Bytes, Failure> {
        self.call(Method::GET, &format!("/_matrix/client/v1/media/download/{name}"), Bytes::new()).await
    }

    /// A thumbnail of a file, 320 by 240.
    pub async fn thumbnail(&mut self, name: &str) -> Result<Bytes, Failure> {
        let size = "width=320&height=240&method=scale";
        self.call(Method::GET, &format!("/_matrix/client/v1/media/thumbnail/{name}?{size}"), Bytes::new())
            .await
    }
}
