//! `GET /_matrix/client/v3/notifications`.

use axum::extract::State;
use plop_rooms::Rooms;
use plop_state::json::TextWriter;
use plop_unread::Unread;
use plop_unread::notifications::{Notification, NotificationToken, NotificationsRequest};
use ruma::api::client::push::get_notifications::v3::Request;

use crate::answer::JsonAnswer;
use crate::error::ApiError;
use crate::extract::{Ruma, Session};

/// Notifications without a limit in the request.
const DEFAULT_LIMIT: usize = 20;

/// `GET /_matrix/client/v3/notifications` (client-server API, "Listing Notifications"). For users.
pub async fn list(
    State(rooms): State<Rooms>,
    State(unread): State<Unread>,
    session: Session,
    Ruma(request): Ruma<Request>,
) -> Result<JsonAnswer, ApiError> {
    let from: Option<NotificationToken> = match request.from.as_deref().map(str::parse) {
        Some(token) => Some(token.map_err(|_| ApiError::invalid_param("There is no such token."))?),
        None => None,
    };
    let only_highlights = match request.only.as_deref() {
        None | Some("") => false,
        Some("highlight") => true,
        Some(other) => {
            return Err(ApiError::invalid_param(format_args!("There are no notifications `{other}`.")));
        }
    };
    let limit = request.limit.map_or(DEFAULT_LIMIT, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let wanted = NotificationsRequest { from, limit: limit.max(1), only_highlights };
    let snapshot = rooms.db().snapshot();
    let notified = unread.notified_user(&snapshot, session.user()?).await?;
    let device = session.actor().device_id();
    let page = unread.notifications(&snapshot, &notified, device, wanted).await?;
    let next = page.next.map(|next| next.to_string());
    let texts: Vec<String> = page.notifications.iter().map(text).collect();
    Ok(JsonAnswer::new().list("notifications", &texts).maybe_string("next_token", next.as_deref()))
}

fn text(notification: &Notification) -> String {
    let Notification { room, event, actions, read, ts } = notification;
    let mut out = TextWriter::new();
    out.object();
    out.key("actions");
    // Actions are made of strings and booleans: writing them does not fail.
    out.text(&serde_json::to_string(actions).unwrap_or_else(|_| "[]".to_owned()));
    out.key("event");
    out.text(event);
    out.key("read");
    out.boolean(*read);
    out.key("room_id");
    out.string(room.as_str());
    out.key("ts");
    out.number(u64::from(ts.get()));
    out.finish()
}
