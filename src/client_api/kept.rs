//! Bodies that keep something until they are gone.
//!
//! Owns: that what counts an answer (a place, a figure, a span) lasts as long as the answer is being sent, not only until it begins. Does not own:
//! what is kept.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

/// A body, and what goes when it goes: it has been sent, or nobody takes it any more.
pub struct Kept<T> {
    body: Body,
    _kept: T,
}

impl<T> Kept<T> {
    pub fn new(body: Body, kept: T) -> Self {
        Self { body, _kept: kept }
    }
}

impl<T: Unpin> HttpBody for Kept<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn what_is_kept_goes_with_the_body_and_the_length_is_told() {
        let kept = Arc::new(());
        let body = Body::new(Kept::new(Body::from("text"), Arc::clone(&kept)));
        assert_eq!(body.size_hint().exact(), Some(4), "else it would be sent in chunks");
        assert_eq!(Arc::strong_count(&kept), 2);
        let bytes = body.collect().await.map(|read| read.to_bytes());
        assert_eq!((bytes.expect("a body").as_ref(), Arc::strong_count(&kept)), (b"text".as_slice(), 1));
    }
}
