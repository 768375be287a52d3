//! Whether a user has subscribed to a thread (MSC4306): `/rooms/{roomId}/thread/{eventId}/subscription`.
//!
//! Invariant: a thread that the user may not see is one that is not there.

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::schema::ThreadWish;
use plop_accounts::thread_subscriptions::{Subscribe, UserThread, thread_subscription};
use plop_rooms::Rooms;
use ruma::api::client::threads::{get_thread_subscription, subscribe_thread, unsubscribe_thread};
use ruma::api::error::ErrorKind;

use crate::error::ApiError;
use crate::extract::{Ruma, Session};

/// Where it is, while the proposal is one.
pub const PATH: &str =
    "/_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription";

/// `GET /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription` (MSC4306). For users.
pub async fn read(
    State(rooms): State<Rooms>,
    session: Session,
    Ruma(request): Ruma<get_thread_subscription::unstable::Request>,
) -> Result<Ruma<get_thread_subscription::unstable::Response>, ApiError> {
    let get_thread_subscription::unstable::Request { room_id, thread_root, .. } = request;
    rooms.reader_of_event(session.actor(), &room_id, &thread_root).await?;
    let thread = UserThread { user: session.user()?, room: &room_id, root: &thread_root };
    let automatic = match thread_subscription(&rooms.db().snapshot(), thread).await? {
        Some(ThreadWish::Manual) => false,
        Some(ThreadWish::Automatic) => true,
        Some(ThreadWish::Unsubscribed) | None => {
            return Err(ApiError::not_found("You have not subscribed to this thread."));
        }
    };
    Ok(Ruma(get_thread_subscription::unstable::Response::new(automatic)))
}

/// `PUT /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription` (MSC4306). For users.
pub async fn subscribe(
    State(rooms): State<Rooms>,
    State(accounts): State<Accounts>,
    session: Session,
    Ruma(request): Ruma<subscribe_thread::unstable::Request>,
) -> Result<Ruma<subscribe_thread::unstable::Response>, ApiError> {
    let subscribe_thread::unstable::Request { room_id, thread_root, automatic, .. } = request;
    let (mut reader, _) = rooms.reader_of_event(session.actor(), &room_id, &thread_root).await?;
    let why = match automatic {
        None => Subscribe::Manually,
        Some(cause) => {
            let cause = reader.arrival_in_thread(&cause, &thread_root).await?;
            let message = "The event that is named as the cause is not in this thread.";
            let cause = cause.ok_or_else(|| ApiError::bad_request(ErrorKind::NotInThread, message))?;
            Subscribe::Automatically { cause }
        }
    };
    let thread = UserThread { user: session.user()?, room: &room_id, root: &thread_root };
    accounts.subscribe_to_thread(session.actor(), thread, why).await?;
    Ok(Ruma(subscribe_thread::unstable::Response::new()))
}

/// `DELETE /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription` (MSC4306). For users.
pub async fn unsubscribe(
    State(rooms): State<Rooms>,
    State(accounts): State<Accounts>,
    session: Session,
    Ruma(request): Ruma<unsubscribe_thread::unstable::Request>,
) -> Result<Ruma<unsubscribe_thread::unstable::Response>, ApiError> {
    let unsubscribe_thread::unstable::Request { room_id, thread_root, .. } = request;
    rooms.reader_of_event(session.actor(), &room_id, &thread_root).await?;
    let thread = UserThread { user: session.user()?, room: &room_id, root: &thread_root };
    accounts.unsubscribe_from_thread(session.actor(), thread).await?;
    Ok(Ruma(unsubscribe_thread::unstable::Response::new()))
}
