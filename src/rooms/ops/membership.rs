//! Who is in a room: join, invite, leave, kick, ban, unban, knock (client-server API, "Room membership").
//!
//! Owns: the member event that each of these makes, and when none is needed. Does not own: the rules of membership
//! ([`plop_state::auth`]), which of these a user may ask for with which membership ([`steps`]), the conditions of restricted
//! rooms ([`crate::restricted_join`]), forgetting ([`super::forget`]).
//!
//! Invariants: one operation makes one event at most. To someone whom a room does not concern, a room that is here and one that is not give
//! the same refusal. Who lets a user into a restricted room is chosen here, never taken from the client.

mod refused;
mod steps;

use plop_accounts::invite_permission::{InvitePermission, invite_permission};
use plop_accounts::profile::{MemberProfile, member_profile};
use plop_base::Actor;
use plop_base::clock::UnixMillis;
use plop_state::auth::AuthError;
use plop_state::json::{Object, Value};
use ruma::{OwnedEventId, OwnedUserId, RoomId, UserId};

use crate::draft::EventDraft;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::operation::{AppendError, Operation};
use crate::ops::forget::hide;
use crate::ops::refusal::{Guests, Refusal, sender};
use crate::ops::transactions::{Transaction, sent_by};
use crate::restricted_join;
use crate::rooms::Rooms;
use crate::schema::{Membership, UserRooms};
use crate::view::RoomView;
use refused::{check_guest, check_rejection};
use steps::{Effect, Step};

/// Names the user who lets another into a restricted room.
const AUTHORISER: &str = "join_authorised_via_users_server";

impl Rooms {
    /// Joins a room. One who is in it already gets a new event only where the profile has changed. `extra` goes into the event: a `reason`, say;
    /// so it does in the following operations. All answer with the member event that then stands.
    ///
    /// # Errors
    /// `NotAdmitted` for a room that is not here or lets the user not in, `Banned`, `Guest`, `UnableToAuthorise`.
    pub async fn join(&self, actor: &Actor, room: &RoomId, extra: &Object) -> Result<OwnedEventId, Refusal> {
        self.step(actor, room, Step::Join, None, extra).await
    }

    /// Brings the profile of a member in line with what it is now: a member who has left meanwhile stays out.
    ///
    /// # Errors
    /// `NotInRoom`.
    pub async fn refresh_profile(&self, actor: &Actor, room: &RoomId) -> Result<OwnedEventId, Refusal> {
        self.step(actor, room, Step::Refresh, None, &Object::new()).await
    }

    /// Asks to be let in.
    ///
    /// # Errors
    /// `NotAdmitted` for a room that is not here or takes no knocks, `WrongMembership` for a member or an invited user, `Banned`.
    pub async fn knock(&self, actor: &Actor, room: &RoomId, extra: &Object) -> Result<OwnedEventId, Refusal> {
        self.step(actor, room, Step::Knock, None, extra).await
    }

    /// Leaves a room, rejects an invite or takes back a knock. Leaving what one has left changes nothing.
    ///
    /// # Errors
    /// `NotInRoom` for one who never had to do with it, `Banned`.
    pub async fn leave(&self, actor: &Actor, room: &RoomId, extra: &Object) -> Result<OwnedEventId, Refusal> {
        self.step(actor, room, Step::Leave, None, extra).await
    }

    /// Invites a user. One who is invited already is not invited again.
    ///
    /// # Errors
    /// `NotInRoom`, `TargetJoined`, `TargetBanned`, `Unreachable`, `InviteBlocked`, `Rule`.
    pub async fn invite(
        &self,
        actor: &Actor,
        room: &RoomId,
        target: &UserId,
        extra: &Object,
    ) -> Result<OwnedEventId, Refusal> {
        self.step(actor, room, Step::Invite, Some(target), extra).await
    }

    /// Removes a member, takes back an invite or declines a knock.
    ///
    /// # Errors
    /// `NotInRoom`, `TargetNotInRoom`, `TargetBanned`, `Rule`.
    pub async fn kick(
        &self,
        actor: &Actor,
        room: &RoomId,
        target: &UserId,
        extra: &Object,
    ) -> Result<OwnedEventId, Refusal> {
        self.step(actor, room, Step::Kick, Some(target), extra).await
    }

    /// Bans a user, whether in the room or not.
    ///
    /// # Errors
    /// `NotInRoom`, `Rule`.
    pub async fn ban(
        &self,
        actor: &Actor,
        room: &RoomId,
        target: &UserId,
        extra: &Object,
    ) -> Result<OwnedEventId, Refusal> {
        self.step(actor, room, Step::Ban, Some(target), extra).await
    }

    /// Takes back a ban.
    ///
    /// # Errors
    /// `NotInRoom`, `TargetNotBanned`, `Rule`.
    pub async fn unban(
        &self,
        actor: &Actor,
        room: &RoomId,
        target: &UserId,
        extra: &Object,
    ) -> Result<OwnedEventId, Refusal> {
        self.step(actor, room, Step::Unban, Some(target), extra).await
    }

    /// Does what a whole `m.room.member` content asks for (`PUT /rooms/{roomId}/state/m.room.member/{userId}`): the step that leads to its
    /// `membership`, with that content. `ts` is the time to claim, which application services may choose.
    ///
    /// # Errors
    /// Those of the step; `Rule` for what no user can do to another.
    pub async fn set_member(
        &self,
        actor: &Actor,
        room: &RoomId,
        target: &UserId,
        content: &Object,
        ts: Option<UnixMillis>,
    ) -> Result<OwnedEventId, Refusal> {
        self.set_member_once(actor, room, target, (content, ts), None).await
    }

    /// The same, once for a transaction.
    pub(super) async fn set_member_once(
        &self,
        actor: &Actor,
        room: &RoomId,
        target: &UserId,
        (content, ts): (&Object, Option<UnixMillis>),
        transaction: Option<&Transaction>,
    ) -> Result<OwnedEventId, Refusal> {
        let sender = sender(actor, Guests::May)?;
        self.change(room, &Change { actor, sender, target, step: None, content, ts, transaction }).await
    }

    async fn step(
        &self,
        actor: &Actor,
        room: &RoomId,
        step: Step,
        target: Option<&UserId>,
        content: &Object,
    ) -> Result<OwnedEventId, Refusal> {
        let sender = sender(actor, Guests::May)?;
        let target = target.unwrap_or(sender);
        let change = Change { actor, sender, target, step: Some(step), content, ts: None, transaction: None };
        self.change(room, &change).await
    }

    async fn change(&self, room: &RoomId, change: &Change<'_>) -> Result<OwnedEventId, Refusal> {
        let outcome = match self.number(room).await? {
            Some(number) => {
                self.write(number, change, |operation, change| Box::pin(apply(operation, change))).await
            }
            None => Err(Refusal::NotInRoom),
        };
        match outcome {
            Err(Refusal::NotInRoom) => Err(change.step(None)?.refusal_of_strangers()),
            outcome => outcome,
        }
    }
}

/// A step that someone asks for.
struct Change<'r> {
    actor: &'r Actor,
    sender: &'r UserId,
    target: &'r UserId,
    /// `None`: the one that `content`, which is the event's whole content, stands for. Else `content` goes with what the server says.
    step: Option<Step>,
    content: &'r Object,
    ts: Option<UnixMillis>,
    transaction: Option<&'r Transaction>,
}

impl Change<'_> {
    fn step(&self, now: Option<Membership>) -> Result<Step, Refusal> {
        let membership = || self.content.get("membership").and_then(Value::as_str);
        self.step.map_or_else(|| steps::step_to(membership(), self.sender == self.target, now), Ok)
    }
}

async fn apply(operation: &mut Operation<'_>, change: &Change<'_>) -> Result<OwnedEventId, Refusal> {
    let Change { sender, target, transaction, .. } = *change;
    if let Some(transaction) = transaction
        && let Some(answered) = transaction.answered(operation).await?
    {
        return Ok(answered);
    }
    let view = operation.view();
    let now = view.members.get(target).map(|member| member.membership);
    let step = change.step(now)?;
    check_guest(change.actor, view, step, now)?;
    if step.is_done_to_others() && !view.members.is_joined(sender) {
        return Err(Refusal::NotInRoom);
    }
    let current = match view.member_event(target) {
        Some(number) => Some(operation.event(number).await?),
        None => None,
    };
    if step == Step::Leave && now == Some(Membership::Invite) {
        check_rejection(operation, change.actor, current.as_deref())?;
    }
    let effect = steps::effect(step, target, now, || may_invite(view, sender))?;
    if step == Step::Invite && target.server_name() != operation.core().server {
        return Err(Refusal::Unreachable(target.to_owned()));
    }
    // Who may not invite hears that from the rules, and nothing of what the other wants.
    let is_new_invite = step == Step::Invite && effect == Effect::Event && may_invite(view, sender);
    let permission = match is_new_invite {
        true => invite_permission(operation.snapshot(), target, sender).await?,
        false => InvitePermission::Allowed,
    };
    if permission == InvitePermission::Blocked {
        return Err(Refusal::InviteBlocked(target.to_owned()));
    }
    let mut content = content(operation, change, step, current.as_deref()).await?;
    if let Some(current) = current
        && (effect == Effect::Nothing || is_unchanged(&current, sender, &content))
    {
        let id = current.pdu.event_id_owned().clone();
        if let Some(transaction) = transaction {
            transaction.record(operation, &id);
        }
        return Ok(id);
    }
    let is_let_in = matches!(now, Some(Membership::Join | Membership::Invite));
    if step == Step::Join && !is_let_in && operation.view().join_rule().is_restricted() {
        name_authoriser(operation, sender, &mut content).await?;
    }
    let mut draft = EventDraft::state("m.room.member", target.as_str(), sender.to_owned(), content);
    draft.ts = change.ts;
    draft.sent_by = sent_by(change.actor, transaction);
    let event = operation.append(draft).await.map_err(refusal)?;
    if is_new_invite {
        let (core, room) = (operation.core(), operation.view().id.clone());
        let taken = core.invitations.take(change.actor, Some(&room), &[target.to_owned()]);
        taken.map_err(|wait| Refusal::TooManyInvites { wait })?;
    }
    if permission == InvitePermission::Ignored {
        hide(operation, target, event.number);
    }
    keep_forgotten(operation, target, now, &event).await?;
    if !change.actor.reaches_others() && !step.moves_oneself() {
        operation.abandon();
    }
    if let Some(transaction) = transaction {
        transaction.record(operation, event.pdu.event_id());
    }
    Ok(event.pdu.event_id_owned().clone())
}

/// Adds who vouches for one who meets the conditions of a restricted room.
async fn name_authoriser(
    operation: &Operation<'_>,
    sender: &UserId,
    content: &mut Object,
) -> Result<(), Refusal> {
    if !restricted_join::meets(operation.snapshot(), operation.view(), sender).await? {
        return Err(Refusal::NotAdmitted);
    }
    let authoriser = restricted_join::authoriser(operation.view()).ok_or(Refusal::UnableToAuthorise)?;
    content.insert(AUTHORISER.to_owned(), authoriser.as_str().into());
    Ok(())
}

/// What the event says: the membership, and of one who is heard what the client gave and, for those who come in, the profile.
async fn content(
    operation: &Operation<'_>,
    change: &Change<'_>,
    step: Step,
    current: Option<&RoomEvent>,
) -> Result<Object, StoreFault> {
    let mut content = Object::new();
    let membership = step.leads_to();
    let is_heard = change.actor.reaches_others();
    let current = current
        .filter(|_| membership == Membership::Join && operation.view().members.is_joined(change.target));
    if let Some(current) = current.filter(|_| !is_heard) {
        // What stands goes on standing, the name that others see too.
        let mut content = current.pdu.content_object();
        content.remove(AUTHORISER);
        return Ok(content);
    }
    let profile = match membership {
        Membership::Join | Membership::Invite | Membership::Knock if is_heard => {
            member_profile(operation.snapshot(), change.target).await?
        }
        _ => MemberProfile::default(),
    };
    let profile = [("displayname", profile.displayname), ("avatar_url", profile.avatar_url)];
    let is_said_again = matches!(change.step, Some(Step::Join | Step::Refresh));
    if let Some(current) = current.filter(|_| is_said_again) {
        // A repeated join says again what stands, with the profile as it is now.
        content = current.pdu.content_object();
        for (key, _) in &profile {
            content.remove(*key);
        }
    } else if is_heard {
        content.extend(change.content.clone());
    }
    content.remove(AUTHORISER);
    content.insert("membership".to_owned(), membership.as_str().into());
    for (key, value) in profile {
        if let Some(value) = value {
            content.entry(key.to_owned()).or_insert_with(|| value.into());
        }
    }
    Ok(content)
}

/// Whether the current event says this already, by the same sender; the way in does not matter.
fn is_unchanged(current: &RoomEvent, sender: &UserId, content: &Object) -> bool {
    let mut says = current.pdu.content_object();
    says.remove(AUTHORISER);
    current.pdu.sender() == sender && says == *content
}

fn may_invite(view: &RoomView, user: &UserId) -> bool {
    view.authority()
        .is_some_and(|authority| authority.may(user.as_str(), plop_state::auth::LevelField::Invite))
}

/// A room that does not let someone in says no more than one that is not here.
fn refusal(error: AppendError) -> Refusal {
    match error {
        AppendError::Forbidden(
            AuthError::NotInvited
            | AuthError::JoinRuleClosed
            | AuthError::NotAuthorised
            | AuthError::KnockNotAllowed
            // A knock in a version that has none.
            | AuthError::UnknownMembership,
        ) => Refusal::NotAdmitted,
        error => error.into(),
    }
}

/// A forgotten room stays forgotten until the user joins, knocks or is invited (client-server API, "Leaving rooms"): a later ban or
/// its end does not bring it back. Nor does the end of an invite that was never shown.
async fn keep_forgotten(
    operation: &mut Operation<'_>,
    user: &UserId,
    before: Option<Membership>,
    event: &RoomEvent,
) -> Result<(), StoreFault> {
    let membership = operation.view().members.membership(user);
    let is_out = |membership| matches!(membership, Membership::Leave | Membership::Ban);
    let was_out = before.is_some_and(|before| is_out(before) || before == Membership::Invite);
    if !is_out(membership) || !was_out {
        return Ok(());
    }
    let key: (OwnedUserId, _) = (user.to_owned(), operation.view().number);
    if operation.snapshot().get::<UserRooms>(&key).await?.is_some_and(|row| row.forgotten) {
        hide(operation, user, event.number);
    }
    Ok(())
}
