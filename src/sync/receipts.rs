//! Read receipts (client-server API, "Receipts").
//!
//! Owns: which receipts of a room are given, and their form. Does not own: the rows.
//!
//! Invariants: a private receipt is read from the user's own stream only, and so is in no answer but the user's own. A receipt that moved after the
//! answer's position is left out: it comes with the next one.

use std::collections::{BTreeMap, BTreeSet};

use plop_db::{Position, ReadError, Snapshot};
use plop_ephemeral::receipts::{self, Receipt, ReceiptPage};
use plop_ephemeral::{ReceiptKind, Thread};
use plop_state::json::TextWriter;
use plop_state_store::RoomNumber;
use ruma::{OwnedUserId, UserId};

use crate::bare_event::bare_event;
use crate::response::Events;
use crate::steps::{PAGE, Steps};

/// The type of the events.
pub const RECEIPT: &str = "m.receipt";

/// Receipts of a room that a full answer has: those that moved last.
const MAX_FULL: usize = 1_000;
/// Own receipts of a room that a full answer has: one for each thread.
const MAX_OWN: usize = 500;

/// The receipts of a room, for one of its members.
pub async fn full(
    snapshot: &Snapshot,
    room: RoomNumber,
    user: &UserId,
    to: Position,
) -> Result<Vec<Receipt>, ReadError> {
    let mut found = receipts::newest(snapshot, room, to, MAX_FULL).await?.receipts;
    let own = receipts::own(snapshot, room, user, MAX_OWN).await?.receipts;
    found.extend(own.into_iter().filter(|receipt| receipt.kind == ReceiptKind::Private));
    Ok(found)
}

/// The public receipts of a room that moved.
pub async fn changes(
    snapshot: &Snapshot,
    room: RoomNumber,
    since: Position,
    to: Position,
) -> Result<Vec<Receipt>, ReadError> {
    let mut found = Vec::new();
    let mut steps = Steps::new(since, to);
    while let Some(after) = steps.next() {
        take(&mut found, &mut steps, receipts::changes(snapshot, room, after, to, PAGE).await?);
    }
    Ok(found)
}

/// The user's private receipts that moved, in all rooms.
pub async fn private_changes(
    snapshot: &Snapshot,
    user: &UserId,
    since: Position,
    to: Position,
) -> Result<Vec<Receipt>, ReadError> {
    let mut found = Vec::new();
    let mut steps = Steps::new(since, to);
    while let Some(after) = steps.next() {
        take(&mut found, &mut steps, receipts::private_changes(snapshot, user, after, to, PAGE).await?);
    }
    Ok(found)
}

fn take(found: &mut Vec<Receipt>, steps: &mut Steps, page: ReceiptPage) {
    steps.took(page.receipts.iter().map(|receipt| receipt.row.position), page.more);
    found.extend(page.receipts);
}

/// The form that clients get: an event for each thread, since a user may have read the same event in two of them.
pub fn events(receipts: &[Receipt], ignored: &BTreeSet<OwnedUserId>) -> Events {
    let mut threads: BTreeMap<&Thread, Vec<&Receipt>> = BTreeMap::new();
    for receipt in receipts.iter().filter(|receipt| !ignored.contains(&receipt.user)) {
        threads.entry(&receipt.thread).or_default().push(receipt);
    }
    threads.into_iter().map(|(thread, receipts)| bare_event(RECEIPT, &content(thread, receipts))).collect()
}

fn content(thread: &Thread, mut receipts: Vec<&Receipt>) -> String {
    receipts.sort_by(|a, b| (&a.row.event_id, a.kind, &a.user).cmp(&(&b.row.event_id, b.kind, &b.user)));
    let mut out = TextWriter::new();
    out.object();
    for of_event in receipts.chunk_by(|a, b| a.row.event_id == b.row.event_id) {
        let Some(first) = of_event.first() else { continue };
        out.key(first.row.event_id.as_str());
        out.object();
        for of_kind in of_event.chunk_by(|a, b| a.kind == b.kind) {
            let Some(first) = of_kind.first() else { continue };
            out.key(word(first.kind));
            out.object();
            for receipt in of_kind {
                out.key(receipt.user.as_str());
                out.object();
                out.key("ts");
                out.number(receipt.row.at.0);
                if let Some(thread) = thread_id(thread) {
                    out.key("thread_id");
                    out.string(thread);
                }
                out.close();
            }
            out.close();
        }
        out.close();
    }
    out.finish()
}

fn word(kind: ReceiptKind) -> &'static str {
    match kind {
        ReceiptKind::Public => "m.read",
        ReceiptKind::Private => "m.read.private",
    }
}

fn thread_id(thread: &Thread) -> Option<&str> {
    match thread {
        Thread::Unthreaded => None,
        Thread::Main => Some("main"),
        Thread::Root(root) => Some(root.as_str()),
    }
}
