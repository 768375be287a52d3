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
use ruma::{EventId, OwnedUserId, UserId};

use crate::bare_event::bare_event;
use crate::response::Events;
use crate::steps::{PAGE, Steps};

/// The type of the events.
pub const RECEIPT: &str = "m.receipt";

/// Receipts of a room that a full answer has: those that moved last.
const MAX_FULL: usize = 1_000;
/// Receipts of a room that come with it in sliding sync: those that moved last.
const MAX_LAST: usize = 100;
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

/// Whether any of the public receipts of a room that moved is one that is looked for. No more of them than a page is in memory.
pub async fn has_changed(
    snapshot: &Snapshot,
    room: RoomNumber,
    (since, to): (Position, Position),
    mut is_it: impl FnMut(&Receipt) -> bool,
) -> Result<bool, ReadError> {
    let mut steps = Steps::new(since, to);
    while let Some(after) = steps.next() {
        let page = receipts::changes(snapshot, room, after, to, PAGE).await?;
        if page.receipts.iter().any(&mut is_it) {
            return Ok(true);
        }
        steps.took(page.receipts.iter().map(|receipt| receipt.row.position), page.more);
    }
    Ok(false)
}

/// The receipts of a room that moved: public ones, and the user's own.
pub async fn moved(
    snapshot: &Snapshot,
    room: RoomNumber,
    user: &UserId,
    (since, to): (Position, Position),
) -> Result<Vec<Receipt>, ReadError> {
    let mut found = changes(snapshot, room, since, to).await?;
    let own = receipts::own(snapshot, room, user, MAX_OWN).await?.receipts;
    let has_moved = |receipt: &Receipt| (since < receipt.row.position) && receipt.row.position <= to;
    found
        .extend(own.into_iter().filter(|receipt| receipt.kind == ReceiptKind::Private && has_moved(receipt)));
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
    threads.into_values().map(|receipts| bare_event(RECEIPT, &content(receipts))).collect()
}

/// All of them in one event, if there are any. Where a user has read an event in several threads, one of them is told: the one without a thread, which
/// stands for the others.
pub fn one_event(receipts: &[Receipt], ignored: &BTreeSet<OwnedUserId>) -> Option<String> {
    let mut told: BTreeMap<(&EventId, ReceiptKind, &UserId), &Receipt> = BTreeMap::new();
    for receipt in receipts.iter().filter(|receipt| !ignored.contains(&receipt.user)) {
        let place = told.entry((&receipt.row.event_id, receipt.kind, &receipt.user)).or_insert(receipt);
        if receipt.thread == Thread::Unthreaded {
            *place = receipt;
        }
    }
    let told: Vec<&Receipt> = told.into_values().collect();
    (!told.is_empty()).then(|| bare_event(RECEIPT, &content(told)))
}

/// The receipts of a room that a client gets with the room: those that moved last, and the user's own.
pub async fn last(
    snapshot: &Snapshot,
    room: RoomNumber,
    user: &UserId,
    to: Position,
) -> Result<Vec<Receipt>, ReadError> {
    let mut found = receipts::newest(snapshot, room, to, MAX_LAST).await?.receipts;
    let own = receipts::own(snapshot, room, user, MAX_OWN).await?.receipts;
    let has_it = |found: &[Receipt], own: &Receipt| found.iter().any(|other| other == own);
    for receipt in own {
        if !has_it(&found, &receipt) {
            found.push(receipt);
        }
    }
    Ok(found)
}

/// Receipts of each event once for each kind and user.
fn content(mut receipts: Vec<&Receipt>) -> String {
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
                if let Some(thread) = thread_id(&receipt.thread) {
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
