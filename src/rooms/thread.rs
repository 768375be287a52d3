//! Which thread an event is in (client-server API, "Threaded read receipts"), and how far relations are followed.
//!
//! Owns: the walk along relations. Does not own: reading events; whoever walks lends them.
//!
//! Invariants: at most [`MAX_THREAD_HOPS`] events are looked at, so neither long chains nor cycles cost more. An event whose parent is not here is in
//! the main timeline, and stays there.

use plop_state::Pdu;
use plop_state::relation::Relation;
use ruma::OwnedEventId;

/// Relations that are followed, as the specification recommends.
pub const MAX_THREAD_HOPS: u32 = 3;

/// Relations between an event and another one that it is shown to belong to (client-server API, "Relationships API": at least three).
pub const MAX_RELATION_DEPTH: usize = 3;

/// Where a walk stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The event is in the thread of this root, or in the main timeline.
    Found(Option<OwnedEventId>),
    /// That depends on this event, the next one to be given to [`ThreadWalk::step`]. If it is not here, the main timeline it is.
    Parent(OwnedEventId),
}

/// A walk from an event to its thread.
#[derive(Debug, Default)]
pub struct ThreadWalk {
    hops: u32,
}

impl ThreadWalk {
    /// Looks at an event: the one that is asked about, then the parents that were asked for.
    pub fn step(&mut self, event: &Pdu) -> Step {
        let Some(relation) = Relation::of(event) else { return Step::Found(None) };
        self.hops += 1;
        if relation.is_thread() {
            Step::Found(Some(relation.event))
        } else if self.hops < MAX_THREAD_HOPS {
            Step::Parent(relation.event)
        } else {
            Step::Found(None)
        }
    }
}
