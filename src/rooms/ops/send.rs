//! Sending events (client-server API, "Sending events to a room").
//!
//! Owns: message and state events of local users, redactions, and that a repeated request makes no second event. Does not own:
//! what an event of a certain type means beyond the room's rules.
//!
//! Invariants: a redaction that would have no effect is refused rather than sent, and so is a reaction that the user has given already.

use plop_base::Actor;
use plop_base::clock::UnixMillis;
use plop_state::StateKey;
use plop_state::auth::{AuthError, Authority, LevelField};
use plop_state::json::{Object, Value};
use plop_state::relation::Relation;
use plop_state_store::RoomNumber;
use ruma::{EventId, OwnedEventId, RoomId, UserId};

use crate::draft::EventDraft;
use crate::fault::StoreFault;
use crate::operation::Operation;
use crate::ops::aliases;
use crate::ops::annotations::Annotation;
use crate::ops::refusal::{Guests, Refusal, check_length, sender};
use crate::ops::transactions::{Transaction, sent_by};
use crate::rooms::Rooms;
use crate::summary::guests_may_join;

/// An event that a local user sends.
#[derive(Debug, Clone)]
pub struct SendEvent {
    pub kind: String,
    /// Makes it a state event.
    pub state_key: Option<String>,
    pub content: Object,
    /// The transaction id, for message events and redactions.
    pub transaction: Option<String>,
    /// The time to claim, which application services may choose.
    pub ts: Option<UnixMillis>,
}

/// How a local user redacts an event.
#[derive(Debug, Clone, Copy)]
pub struct Redaction<'r> {
    pub reason: Option<&'r str>,
    pub transaction: &'r str,
    pub whose: Whose,
}

/// Whose events may be redacted, where the room allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Any,
    /// One's own: for suspended accounts (client-server API, "Account suspension").
    Own,
}

impl Rooms {
    /// Sends an event and returns its id once it is on disk. A member event is a step of membership ([`Rooms::set_member`]).
    pub async fn send(
        &self,
        actor: &Actor,
        room: &RoomId,
        event: &SendEvent,
    ) -> Result<OwnedEventId, Refusal> {
        let transaction = match event.transaction.as_deref() {
            Some(id) => {
                Some(Transaction::of_send(actor, sender(actor, Guests::May)?, room, &event.kind, id)?)
            }
            None => None,
        };
        self.send_under(actor, room, event, transaction).await
    }

    /// Sends an event that was scheduled, as the actor who scheduled it: once, whatever it is. `name` is the delayed event's.
    pub async fn send_delayed(
        &self,
        actor: &Actor,
        room: &RoomId,
        event: &SendEvent,
        name: &str,
    ) -> Result<OwnedEventId, Refusal> {
        let transaction = Transaction::of_delayed(sender(actor, Guests::May)?, room, &event.kind, name)?;
        self.send_under(actor, room, event, Some(transaction)).await
    }

    async fn send_under(
        &self,
        actor: &Actor,
        room: &RoomId,
        event: &SendEvent,
        transaction: Option<Transaction>,
    ) -> Result<OwnedEventId, Refusal> {
        if event.kind == "m.room.member"
            && let Some(target) = &event.state_key
        {
            let target = <&UserId>::try_from(target.as_str());
            let target = target.map_err(|_| Refusal::Rule(AuthError::MemberStateKey))?;
            let says = (&event.content, event.ts);
            return self.set_member_once(actor, room, target, says, transaction.as_ref()).await;
        }
        let sender = sender(actor, Guests::May)?;
        check_length("event type", &event.kind)?;
        let number = self.number(room).await?.ok_or(Refusal::NotInRoom)?;
        self.send_once(number, Request { actor, sender, event, transaction, whose: Whose::Any }).await
    }

    /// Redacts an event (`PUT /rooms/{roomId}/redact/{eventId}/{txnId}`), one's own only if `whose` says so.
    pub async fn redact(
        &self,
        actor: &Actor,
        room: &RoomId,
        target: &EventId,
        redaction: &Redaction<'_>,
    ) -> Result<OwnedEventId, Refusal> {
        let Redaction { reason, transaction, whose } = *redaction;
        let sender = sender(actor, Guests::MayNot)?;
        let number = self.number(room).await?.ok_or(Refusal::NotInRoom)?;
        let mut content = Object::from([("redacts".to_owned(), target.as_str().into())]);
        content.extend(reason.map(|reason| ("reason".to_owned(), reason.into())));
        let event = SendEvent {
            kind: "m.room.redaction".to_owned(),
            state_key: None,
            content,
            transaction: Some(transaction.to_owned()),
            ts: None,
        };
        let transaction = Some(Transaction::of_redact(actor, sender, room, target, transaction)?);
        self.send_once(number, Request { actor, sender, event: &event, transaction, whose }).await
    }

    async fn send_once(&self, room: RoomNumber, request: Request<'_>) -> Result<OwnedEventId, Refusal> {
        self.write(room, &request, |operation, request| Box::pin(send(operation, request))).await
    }
}

struct Request<'r> {
    actor: &'r Actor,
    sender: &'r UserId,
    event: &'r SendEvent,
    transaction: Option<Transaction>,
    /// If it is a redaction.
    whose: Whose,
}

async fn send(operation: &mut Operation<'_>, request: &Request<'_>) -> Result<OwnedEventId, Refusal> {
    let Request { sender, event, transaction, .. } = request;
    if !operation.view().members.is_joined(sender) {
        return Err(Refusal::NotInRoom);
    }
    // One who is about to leave ([`crate::guests`]).
    if request.actor.is_guest() && !guests_may_join(operation.view()) {
        return Err(Refusal::Guest);
    }
    if let Some(transaction) = transaction
        && let Some(answered) = transaction.answered(operation).await?
    {
        return Ok(answered);
    }
    let is_message = event.state_key.is_none();
    let annotation = is_message.then(|| Annotation::of(sender, &event.kind, &event.content)).flatten();
    if let Some(annotation) = &annotation
        && annotation.is_given(operation).await?
    {
        return Err(Refusal::DuplicateAnnotation);
    }
    check_thread(operation, &event.content).await?;
    if let Some(same) = unchanged(operation, sender, event).await? {
        if let Some(transaction) = transaction {
            transaction.record(operation, &same);
        }
        return Ok(same);
    }
    if event.kind == "m.room.canonical_alias" && event.state_key.as_deref() == Some("") {
        aliases::check_claim(operation, &event.content, None).await?;
    }
    let draft = draft(operation, request).await?;
    let appended = operation.append(draft).await?;
    let id = appended.pdu.event_id_owned().clone();
    let is_heard = request.actor.reaches_others();
    if !is_heard {
        operation.abandon();
    }
    if let Some(transaction) = transaction {
        transaction.record(operation, &id);
    }
    if let Some(annotation) = annotation.filter(|_| is_heard) {
        annotation.record(operation, appended.number);
    }
    Ok(id)
}

/// Refuses to begin a thread at what relates to something else (client-server API, "Validation of `m.thread` relationships").
async fn check_thread(operation: &Operation<'_>, content: &Object) -> Result<(), Refusal> {
    let relation = Relation::in_content(content).filter(Relation::is_thread);
    let Some(relation) = relation else { return Ok(()) };
    let root = operation.event_by_id(&relation.event).await?;
    if root.is_some_and(|root| Relation::of(&root.pdu).is_some()) {
        return Err(Refusal::NoThreadRoot);
    }
    Ok(())
}

/// The current state event, if the same user sets the same content again: clients repeat state, and a room's history need not.
async fn unchanged(
    operation: &Operation<'_>,
    sender: &UserId,
    event: &SendEvent,
) -> Result<Option<OwnedEventId>, StoreFault> {
    let Some(state_key) = &event.state_key else { return Ok(None) };
    let current = operation.state_event(&StateKey::new(&event.kind, state_key.as_str())).await?;
    let content = plop_state::json::canonical(&Value::Object(event.content.clone()));
    let same =
        current.filter(|current| current.pdu.sender() == sender && current.pdu.content_text() == content);
    Ok(same.map(|current| current.pdu.event_id_owned().clone()))
}

async fn draft(operation: &Operation<'_>, request: &Request<'_>) -> Result<EventDraft, Refusal> {
    let Request { actor, sender, event, whose, .. } = *request;
    let mut draft = EventDraft::message(&event.kind, sender.to_owned(), event.content.clone());
    draft.state_key.clone_from(&event.state_key);
    draft.ts = event.ts;
    draft.sent_by = sent_by(actor, request.transaction.as_ref());
    if event.kind == "m.room.redaction" && event.state_key.is_none() {
        draft.redacts = Some(redaction_target(operation, sender, whose, &mut draft.content).await?);
    }
    Ok(draft)
}

/// Takes the target out of the content (its place depends on the room version) after checking that it can be redacted.
async fn redaction_target(
    operation: &Operation<'_>,
    sender: &UserId,
    whose: Whose,
    content: &mut Object,
) -> Result<OwnedEventId, Refusal> {
    let named = content.remove("redacts");
    let id = named.as_ref().and_then(Value::as_str).and_then(|id| EventId::parse(id).ok());
    let id = id.ok_or(Refusal::NoSuchEvent)?;
    let target = operation.event_by_id(&id).await?.ok_or(Refusal::NoSuchEvent)?;
    let may = |authority: &Authority| {
        let may_others = whose == Whose::Any && authority.may(sender.as_str(), LevelField::Redact);
        target.pdu.sender() == sender || may_others
    };
    let is_create = target.pdu.type_name() == "m.room.create";
    if !is_create && operation.view().authority().is_some_and(may) {
        Ok(id)
    } else {
        Err(Refusal::MayNotRedact)
    }
}
