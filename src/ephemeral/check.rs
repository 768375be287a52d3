//! What `plop check` asks of what comes and goes: that receipts and their streams of changes lead to each other.
//!
//! Owns: the references between this crate's keyspaces. Repairs nothing.

use plop_db::{Reference, ReferenceCheck};

use crate::schema::{PrivateReceiptChanges, ReceiptChanges, ReceiptKind, ReceiptRows};

/// The checks of this crate's rows.
pub fn reference_checks() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<ReceiptRows, ReceiptChanges> {
            name: "changes of receipts",
            names: |(room, _, kind, _), row| match kind {
                ReceiptKind::Public => vec![(*room, row.position)],
                ReceiptKind::Private => Vec::new(),
            },
            agrees: |((_, user, _, thread), _), (_, change)| (user, thread) == (&change.0, &change.1),
        }),
        Box::new(Reference::<ReceiptRows, PrivateReceiptChanges> {
            name: "changes of private receipts",
            names: |(_, user, kind, _), row| match kind {
                ReceiptKind::Public => Vec::new(),
                ReceiptKind::Private => vec![(user.clone(), row.position)],
            },
            agrees: |((room, _, _, thread), _), (_, change)| (room, thread) == (&change.0, &change.1),
        }),
        Box::new(Reference::<ReceiptChanges, ReceiptRows> {
            name: "changes of receipts",
            names: |(room, _), (user, thread)| {
                vec![(*room, user.clone(), ReceiptKind::Public, thread.clone())]
            },
            agrees: |((_, position), _), (_, row)| row.position == *position,
        }),
        Box::new(Reference::<PrivateReceiptChanges, ReceiptRows> {
            name: "changes of private receipts",
            names: |(user, _), (room, thread)| {
                vec![(*room, user.clone(), ReceiptKind::Private, thread.clone())]
            },
            agrees: |((_, position), _), (_, row)| row.position == *position,
        }),
    ]
}
