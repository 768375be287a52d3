//! Which backup a request for keys is about, and what it is told of the backup.

use axum::response::{IntoResponse, Response};
use plop_e2ee::backup::schema::KeyBackupTotalsRow;
use serde::Deserialize;
use serde_json::json;

use crate::error::ApiError;
use crate::extract::Json;

/// The query of every request for keys.
#[derive(Deserialize)]
pub struct OfBackup {
    version: Option<String>,
}

impl OfBackup {
    /// The version, which has to be named.
    pub fn version(&self) -> Result<&str, ApiError> {
        self.version
            .as_deref()
            .ok_or_else(|| ApiError::missing_param("The version of the backup is missing."))
    }
}

/// What is in a backup once a request has changed it.
pub struct Changed(pub KeyBackupTotalsRow);

impl IntoResponse for Changed {
    fn into_response(self) -> Response {
        let Self(totals) = self;
        Json(json!({ "count": totals.keys, "etag": totals.changes.to_string() })).into_response()
    }
}
