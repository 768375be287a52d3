//! Reports to the administrators (client-server API, "Reporting Content"): of events, rooms and users.

use axum::extract::State;
use plop_moderation::reports::{Reports, Subject};
use ruma::api::client::reporting::report_user;
use ruma::api::client::room::{report_content, report_room};

use crate::budgets::REPORT;
use crate::error::ApiError;
use crate::extract::{Ruma, Session};
use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .costly_post("/_matrix/client/v3/rooms/{roomId}/report", REPORT, room)
        .costly_post("/_matrix/client/v3/rooms/{roomId}/report/{eventId}", REPORT, event)
        .costly_post("/_matrix/client/v3/users/{userId}/report", REPORT, user)
}

/// `POST /_matrix/client/v3/rooms/{roomId}/report` (client-server API, "Reporting Content"). Access token.
async fn room(
    State(reports): State<Reports>,
    session: Session,
    Ruma(request): Ruma<report_room::v3::Request>,
) -> Result<Ruma<report_room::v3::Response>, ApiError> {
    reports.report(session.actor(), Subject::Room(&request.room_id), Some(&request.reason)).await?;
    Ok(Ruma(report_room::v3::Response::new()))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}` (client-server API, "Reporting Content"). Access token.
async fn event(
    State(reports): State<Reports>,
    session: Session,
    Ruma(request): Ruma<report_content::v3::Request>,
) -> Result<Ruma<report_content::v3::Response>, ApiError> {
    let subject = Subject::Event(&request.room_id, &request.event_id);
    reports.report(session.actor(), subject, request.reason.as_deref()).await?;
    Ok(Ruma(report_content::v3::Response::new()))
}

/// `POST /_matrix/client/v3/users/{userId}/report` (client-server API, "Reporting Content"). Access token.
async fn user(
    State(reports): State<Reports>,
    session: Session,
    Ruma(request): Ruma<report_user::v3::Request>,
) -> Result<Ruma<report_user::v3::Response>, ApiError> {
    reports.report(session.actor(), Subject::User(&request.user_id), Some(&request.reason)).await?;
    Ok(Ruma(report_user::v3::Response::new()))
}
