//! Annotations, which are reactions above all: a user gives each one once (client-server API, "Avoiding duplicate annotations").
//!
//! Owns: finding the one that was given before. Does not own: counting them, which clients do.
//!
//! Invariants: only what local users send is known here; others' may come twice. Events that annotate nothing cost nothing.

use plop_state::StateKey;
use plop_state::json::Object;
use plop_state::relation::Relation;
use plop_state_store::{EventNumber, KeyHash, RoomNumber};
use ruma::{OwnedEventId, OwnedUserId, UserId};

use crate::fault::StoreFault;
use crate::operation::Operation;
use crate::schema::Annotations;

/// An annotation that a local user is about to give.
pub(super) struct Annotation<'e> {
    sender: &'e UserId,
    kind: &'e str,
    relation: Relation,
    /// The type of the event with the annotation's key.
    what: StateKey,
}

impl<'e> Annotation<'e> {
    /// The annotation in a message event, if that is one.
    pub fn of(sender: &'e UserId, kind: &'e str, content: &Object) -> Option<Self> {
        let relation =
            Relation::in_content(content).filter(|relation| relation.rel_type == "m.annotation")?;
        let what = StateKey::new(kind, relation.key.as_deref()?);
        Some(Self { sender, kind, relation, what })
    }

    /// Whether the user has given it before, and that event has not been redacted.
    pub async fn is_given(&self, operation: &Operation<'_>) -> Result<bool, StoreFault> {
        let same = operation.pending().filter(|event| {
            event.pdu.sender() == self.sender
                && event.pdu.type_name() == self.kind
                && event.pdu.state_key().is_none()
                && Relation::of(&event.pdu).as_ref() == Some(&self.relation)
        });
        let given = match same.map(|event| event.number).last() {
            Some(number) => Some(number),
            None => operation.snapshot().get::<Annotations>(&self.row(operation)).await?,
        };
        let Some(number) = given else { return Ok(false) };
        Ok(operation.event(number).await?.facts.redacted_by.is_none())
    }

    /// Remembers the event that gives it, together with that.
    pub fn record(&self, operation: &mut Operation<'_>, event: EventNumber) {
        let row = self.row(operation);
        operation.batch().put::<Annotations>(&row, &event);
    }

    fn row(&self, operation: &Operation<'_>) -> (RoomNumber, OwnedEventId, OwnedUserId, KeyHash) {
        let what = operation.core().state.tree.key_hash(&self.what);
        (operation.view().number, self.relation.event.clone(), self.sender.to_owned(), what)
    }
}
