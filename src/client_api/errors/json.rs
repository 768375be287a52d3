//! JSON that is not acceptable in an event (client-server API, "Common error codes").

use plop_state::json::JsonError;
use ruma::api::error::ErrorKind;

use crate::error::ApiError;

impl From<JsonError> for ApiError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::TooLarge => Self::too_large(error),
            JsonError::NotUtf8 | JsonError::Syntax(_) => Self::bad_request(ErrorKind::NotJson, error),
            JsonError::Number(_)
            | JsonError::DuplicateKey(_)
            | JsonError::LoneSurrogate(_)
            | JsonError::TooDeep(_)
            | JsonError::NotAnObject => Self::bad_request(ErrorKind::BadJson, error),
        }
    }
}
