//! `POST /pushers/set`.

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::pushers::{NewPusher, PusherId};
use ruma::api::client::push::set_pusher::v3::Response;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::extract::{Json, Ruma, Session};

/// The body. ruma's type does not know MSC3881, and does not name all that is missing.
#[derive(Deserialize)]
pub struct Body {
    /// `null` deletes, and is something else than nothing.
    #[serde(default, deserialize_with = "given")]
    kind: Option<Option<String>>,
    app_id: Option<String>,
    pushkey: Option<String>,
    app_display_name: Option<String>,
    device_display_name: Option<String>,
    profile_tag: Option<String>,
    lang: Option<String>,
    data: Option<Map<String, Value>>,
    append: Option<bool>,
    #[serde(rename = "org.matrix.msc3881.enabled")]
    enabled: Option<bool>,
}

/// `POST /_matrix/client/v3/pushers/set` (client-server API, "Push Notifications"; MSC3881). For users.
pub async fn set(
    State(accounts): State<Accounts>,
    session: Session,
    Json(body): Json<Body>,
) -> Result<Ruma<Response>, ApiError> {
    body.check_given()?;
    match body.kind {
        Some(None) => accounts.delete_pusher(session.actor(), &body.id()).await?,
        Some(Some(ref kind)) if kind == "http" => {
            accounts.set_pusher(session.actor(), body.pusher()).await?;
        }
        Some(Some(ref kind)) if kind == "email" => {
            return Err(ApiError::invalid_param("This server sends no notifications by e-mail."));
        }
        Some(Some(_)) | None => return Err(ApiError::invalid_param("There are no pushers of this kind.")),
    }
    Ok(Ruma(Response::new()))
}

impl Body {
    /// That what is required is there: the more, unless the pusher is to be deleted.
    fn check_given(&self) -> Result<(), ApiError> {
        let deletes = self.kind == Some(None);
        let required = [
            ("kind", self.kind.is_some()),
            ("app_id", self.app_id.is_some()),
            ("pushkey", self.pushkey.is_some()),
            ("app_display_name", deletes || self.app_display_name.is_some()),
            ("device_display_name", deletes || self.device_display_name.is_some()),
            ("lang", deletes || self.lang.is_some()),
            ("data", deletes || self.data.is_some()),
        ];
        let missing: Vec<_> = required.iter().filter(|(_, given)| !given).map(|(name, _)| *name).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(ApiError::missing_param(format_args!("Missing parameters: {}.", missing.join(", "))))
    }

    fn id(&self) -> PusherId {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        PusherId { app: text(&self.app_id), push_key: text(&self.pushkey) }
    }

    fn pusher(self) -> NewPusher {
        NewPusher {
            id: self.id(),
            app_display_name: self.app_display_name.unwrap_or_default(),
            device_display_name: self.device_display_name.unwrap_or_default(),
            profile_tag: self.profile_tag,
            lang: self.lang.unwrap_or_default(),
            data: self.data.unwrap_or_default(),
            enabled: self.enabled,
            append: self.append.unwrap_or(false),
        }
    }
}

/// What is there, be it `null`.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
