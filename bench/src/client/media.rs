//! Media: uploads, downloads, thumbnails.

use bytes::Bytes;
use hyper::Method;
use serde::Deserialize;

use super::{Session, parse};
use crate::http::Failure;

impl Session {
    /// Uploads a file and gives what follows `mxc://` in its name: the server and the id.
    pub async fn upload(&mut self, content_type: &'static str, bytes: Bytes) -> Result<String, Failure> {
        let token = &self.account.token;
        let path = "/_matrix/media/v3/upload?filename=load";
        let answer = self.connection.send(Method::POST, path, Some(token), Some(content_type), bytes).await?;
        name(&answer)
    }

    /// Announces a file and gives its name, as above.
    pub async fn announce_file(&mut self) -> Result<String, Failure> {
        name(&self.call(Method::POST, "/_matrix/media/v1/create", Bytes::new()).await?)
    }

    /// Uploads a file that was announced.
    pub async fn upload_to(&mut self, name: &str, bytes: Bytes) -> Result<(), Failure> {
        let (path, token) = (format!("/_matrix/media/v3/upload/{name}"), &self.account.token);
        let content_type = Some("application/octet-stream");
        self.connection.send(Method::PUT, &path, Some(token), content_type, bytes).await.map(drop)
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

/// What an answer calls a file, without `mxc://`.
fn name(answer: &[u8]) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Named {
        content_uri: String,
    }
    let uri = parse::<Named>(answer)?.content_uri;
    let name = uri.strip_prefix("mxc://").map(ToOwned::to_owned);
    name.ok_or_else(|| Failure::Unexpected(format!("the name {uri}")))
}
