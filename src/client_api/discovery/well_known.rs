//! `GET /.well-known/matrix/client`, `GET /.well-known/matrix/support`.

use std::sync::Arc;

use axum::extract::State;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::api::{Contact, Settings};
use crate::calls::transports::{Transport, Transports};
use crate::error::ApiError;
use crate::extract::Json;

/// Where what is. ruma's type does not know where calls take place.
pub struct Places {
    homeserver: Homeserver,
    rtc_foci: Arc<[Transport]>,
}

impl Serialize for Places {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut places = serializer.serialize_map(None)?;
        places.serialize_entry("m.homeserver", &self.homeserver)?;
        if !self.rtc_foci.is_empty() {
            // Where calls take place (MSC4143), as clients looked for it before there was an endpoint.
            places.serialize_entry("org.matrix.msc4143.rtc_foci", &self.rtc_foci)?;
        }
        // Devices may be dehydrated here (MSC3814). Element Web asks here and not for what the server can do.
        places.serialize_entry("org.matrix.msc3814", &true)?;
        places.end()
    }
}

#[derive(Serialize)]
struct Homeserver {
    base_url: String,
}

/// Whom one turns to.
#[derive(Serialize)]
pub struct SupportInfo {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contacts: Vec<Contact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    support_page: Option<String>,
}

/// `GET /.well-known/matrix/client` (client-server API, "Well-known URIs"). For everyone. Without a configured address there is nothing to
/// say: clients then stay where they are.
pub async fn client(
    State(settings): State<Arc<Settings>>,
    State(Transports(rtc_foci)): State<Transports>,
) -> Result<Json<Places>, ApiError> {
    let base_url = settings.public_url.clone();
    let base_url = base_url.ok_or_else(|| ApiError::not_found("There is nothing to discover."))?;
    Ok(Json(Places { homeserver: Homeserver { base_url }, rtc_foci }))
}

/// `GET /.well-known/matrix/support` (client-server API, "Server administration"). For everyone.
pub async fn support(State(settings): State<Arc<Settings>>) -> Result<Json<SupportInfo>, ApiError> {
    let (contacts, support_page) = (settings.contacts.clone(), settings.support_page.clone());
    if contacts.is_empty() && support_page.is_none() {
        return Err(ApiError::not_found("Nobody to turn to is named here."));
    }
    Ok(Json(SupportInfo { contacts, support_page }))
}
