//! How far a user has read: `/rooms/{roomId}/receipt/{receiptType}/{eventId}`, `/rooms/{roomId}/read_markers`.
//!
//! Invariant: the markers of one request are checked before any of them is written, and written together.

use axum::extract::State;
use plop_ephemeral::{NewReceipt, ReceiptKind, Thread};
use plop_rooms::reader::receipt::{ReadUpTo, Scope};
use plop_state::json::Value;
use ruma::api::client::read_marker::set_read_marker;
use ruma::api::client::receipt::create_receipt;
use ruma::api::client::receipt::create_receipt::v3::ReceiptType;
use ruma::{EventId, OwnedEventId, OwnedRoomId, RoomId};

use crate::api::Api;
use crate::error::ApiError;
use crate::extract::{Acting, Addition, Path, Ruma, Session};

/// What a request says has been read.
#[derive(Default)]
struct Markers {
    receipts: Vec<(ReceiptKind, OwnedEventId, Thread)>,
    fully_read: Option<OwnedEventId>,
}

/// `POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}` (client-server API, "Receipts"). Access token.
pub async fn receipt(
    State(api): State<Api>,
    session: Acting<Session>,
    Path((room, kind, event)): Path<(OwnedRoomId, ReceiptType, OwnedEventId)>,
    Addition(body): Addition,
) -> Result<Ruma<create_receipt::v3::Response>, ApiError> {
    let thread = body.get("thread_id").map_or(Ok(Thread::Unthreaded), thread)?;
    let markers = match kind {
        ReceiptType::Read => Markers::receipt(ReceiptKind::Public, event, thread),
        ReceiptType::ReadPrivate => Markers::receipt(ReceiptKind::Private, event, thread),
        ReceiptType::FullyRead if thread == Thread::Unthreaded => {
            Markers { fully_read: Some(event), ..Markers::default() }
        }
        ReceiptType::FullyRead => {
            return Err(ApiError::invalid_param("The fully read marker knows no threads."));
        }
        other => return Err(ApiError::invalid_param(format_args!("There are no receipts `{other}`."))),
    };
    set(&api, &session, &room, markers).await?;
    Ok(Ruma(create_receipt::v3::Response::new()))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/read_markers` (client-server API, "Fully read markers"). Access token.
pub async fn read_markers(
    State(api): State<Api>,
    session: Acting<Session>,
    Ruma(request): Ruma<set_read_marker::v3::Request>,
) -> Result<Ruma<set_read_marker::v3::Response>, ApiError> {
    let public = request.read_receipt.map(|event| (ReceiptKind::Public, event, Thread::Unthreaded));
    let private = request.private_read_receipt.map(|event| (ReceiptKind::Private, event, Thread::Unthreaded));
    let receipts = public.into_iter().chain(private).collect();
    set(&api, &session, &request.room_id, Markers { receipts, fully_read: request.fully_read }).await?;
    Ok(Ruma(set_read_marker::v3::Response::new()))
}

impl Markers {
    fn receipt(kind: ReceiptKind, event: OwnedEventId, thread: Thread) -> Self {
        Self { receipts: vec![(kind, event, thread)], fully_read: None }
    }
}

/// The thread that a receipt is about (client-server API, "Threaded read receipts"): what is none has the same error as a thread that the event does
/// not belong to, also if it is no string.
fn thread(id: &Value) -> Result<Thread, ApiError> {
    match id {
        Value::String(id) if id == "main" => Ok(Thread::Main),
        Value::String(id) => EventId::parse(id.as_str()).map(Thread::Root).map_err(ApiError::invalid_param),
        _ => Err(ApiError::invalid_param("`thread_id` is no string.")),
    }
}

async fn set(api: &Api, session: &Session, room: &RoomId, markers: Markers) -> Result<(), ApiError> {
    let (actor, user) = (session.actor(), session.user()?);
    let mut reader = api.rooms.reader(actor, room).await?;
    let mut receipts = Vec::new();
    for (kind, event_id, thread) in markers.receipts {
        let ReadUpTo { event, arrival } = reader.read_up_to(&event_id, scope(&thread)).await?;
        receipts.push(NewReceipt { kind, thread, event, event_id, arrival, at: api.clock.now() });
    }
    let number = reader.view().number;
    let Some(fully_read) = markers.fully_read else {
        api.receipts.set(actor, number, user, &receipts).await?;
        return Ok(());
    };
    reader.read_up_to(&fully_read, Scope::Room).await?;
    let markers = (receipts.as_slice(), &*fully_read);
    Ok(api.receipts.set_with_fully_read(&api.accounts, actor, (number, room), user, markers).await?)
}

fn scope(thread: &Thread) -> Scope<'_> {
    match thread {
        Thread::Unthreaded => Scope::Room,
        Thread::Main => Scope::Main,
        Thread::Root(root) => Scope::Thread(root),
    }
}
