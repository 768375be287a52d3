//! What `plop check` asks of events that are sent later: that each and what leads to it name each other.
//!
//! Owns: the references between this crate's keyspaces. Repairs nothing.

use plop_db::{Reference, ReferenceCheck};

use crate::schema::{DelayedEvents, DelayedOfUser, DelayedRequests, DueDelayed, FinalisedDelayed};

/// The checks of this crate's rows.
pub fn reference_checks() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<DueDelayed, DelayedEvents> {
            name: "delayed events that are due",
            names: |(.., id), ()| vec![id.clone()],
            agrees: |((due, since, _), ()), (_, row)| {
                row.finalised.is_none() && (row.due, row.since) == (*due, *since)
            },
        }),
        Box::new(Reference::<DelayedEvents, DelayedOfUser>::exists("delayed events of users", |id, row| {
            let at = row.finalised.as_ref().map_or(row.due, |end| end.at);
            vec![(row.user.clone(), row.finalised.is_some(), at, id.clone())]
        })),
        Box::new(Reference::<DelayedRequests, DelayedEvents> {
            name: "requests for delayed events",
            names: |_, id| vec![id.clone()],
            agrees: |(request, _), (_, row)| row.request.as_ref() == Some(request),
        }),
        Box::new(Reference::<FinalisedDelayed, DelayedEvents> {
            name: "delayed events that are over",
            names: |(_, id), ()| vec![id.clone()],
            agrees: |((at, _), ()), (_, row)| row.finalised.as_ref().is_some_and(|end| end.at == *at),
        }),
    ]
}
