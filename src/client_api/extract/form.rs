//! Bodies that pages send: forms.

use axum::extract::{FromRef, FromRequest, Query, Request};
use http::Uri;
use serde::de::DeserializeOwned;

use super::bodies::Bodies;
use super::body::Buffered;
use crate::error::ApiError;

/// A body in the encoding of forms (`application/x-www-form-urlencoded`), which is that of a query.
pub struct Form<T>(pub T);

impl<S, T> FromRequest<S> for Form<T>
where
    S: Sync,
    Bodies: FromRef<S>,
    T: DeserializeOwned,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let buffered = Buffered::read(request, &Bodies::from_ref(state)).await?;
        let query = [b"/?".as_slice(), buffered.bytes()].concat();
        let uri = Uri::try_from(query).map_err(ApiError::invalid_param)?;
        let fields = Query::<T>::try_from_uri(&uri);
        fields.map(|Query(fields)| Self(fields)).map_err(|error| ApiError::invalid_param(error.body_text()))
    }
}
