//! Why a file is not taken or not given.

use std::time::Duration;

use http::StatusCode;
use plop_media::{BlobError, CreateError, NotReceived, OpenError, PreviewError, ThumbnailError, UploadError};
use ruma::api::error::ErrorKind;

use crate::error::ApiError;

/// When to come again where too many files are coming in.
const AGAIN: Duration = Duration::from_secs(2);

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Forbidden | UploadError::Quota | UploadError::NotYours => Self::forbidden(error),
            UploadError::NameTooLong => Self::invalid_param(error),
            UploadError::Busy => Self::limited(AGAIN),
            UploadError::NotPending => Self::not_found(error),
            UploadError::AlreadyUploaded => {
                Self::new(StatusCode::CONFLICT, ErrorKind::CannotOverwriteMedia, error)
            }
            UploadError::NotReceived(error) => error.into(),
            UploadError::Read(error) => error.into(),
            UploadError::Commit(error) => error.into(),
        }
    }
}

impl From<NotReceived> for ApiError {
    fn from(error: NotReceived) -> Self {
        match error {
            NotReceived::TooLarge => Self::too_large(error),
            NotReceived::TooSlow => Self::new(StatusCode::REQUEST_TIMEOUT, ErrorKind::Unknown, error),
            NotReceived::Broken(_) => Self::bad_request(ErrorKind::Unknown, "The file cannot be read."),
            NotReceived::Full => Self::unavailable(error),
            NotReceived::Blob(error) => error.into(),
            NotReceived::Commit(error) => error.into(),
        }
    }
}

/// Its disk is full, or it is elsewhere and does not answer.
impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        tracing::error!(%error, "the store of files failed");
        Self::unavailable("The server cannot get at its files at present.")
    }
}

impl From<CreateError> for ApiError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Forbidden => Self::forbidden(error),
            CreateError::TooMany { retry_after } => Self::limited(retry_after),
            CreateError::Read(error) => error.into(),
            CreateError::Commit(error) => error.into(),
        }
    }
}

impl From<OpenError> for ApiError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::NotFound => Self::not_found(error),
            OpenError::NotYetUploaded => {
                Self::new(StatusCode::GATEWAY_TIMEOUT, ErrorKind::NotYetUploaded, error)
            }
            OpenError::Lost => {
                tracing::error!(%error, "a file is not served");
                Self::not_found(OpenError::NotFound)
            }
            OpenError::Blob(error) => error.into(),
            OpenError::Read(error) => error.into(),
        }
    }
}

impl From<ThumbnailError> for ApiError {
    fn from(error: ThumbnailError) -> Self {
        match error {
            // The status and code of `GET /thumbnail/{serverName}/{mediaId}`.
            ThumbnailError::NoSize | ThumbnailError::NotAPicture | ThumbnailError::Broken => {
                Self::bad_request(ErrorKind::Unknown, error)
            }
            ThumbnailError::TooLarge => Self::too_large(error),
            ThumbnailError::Busy => Self::limited(AGAIN),
            ThumbnailError::Open(error) => error.into(),
            ThumbnailError::NotStored(error) => error.into(),
            ThumbnailError::Ended(error) => Self::unavailable(error),
        }
    }
}

impl From<PreviewError> for ApiError {
    fn from(error: PreviewError) -> Self {
        match error {
            PreviewError::Off => Self::unrecognized(),
            PreviewError::Forbidden => Self::forbidden(error),
            PreviewError::InvalidUrl => Self::invalid_param(error),
            PreviewError::None => Self::new(StatusCode::BAD_GATEWAY, ErrorKind::Unknown, error),
            PreviewError::Busy => Self::limited(AGAIN),
            PreviewError::NotStored(error) => error.into(),
            PreviewError::Read(error) => error.into(),
            PreviewError::Commit(error) => error.into(),
            PreviewError::Ended(error) => Self::unavailable(error),
        }
    }
}
