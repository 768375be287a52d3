//! Sending an event whose time has come, or that somebody asks for.
//!
//! Owns: under which transaction id, and what a refusal is to be kept as. Does not own: as whom ([`crate::sender`]), when ([`crate::due`], [`crate::actions`]).
//!
//! Invariant: sending one again, after a crash say, finds the event that was sent: its name is the transaction id.

use plop_rooms::ops::refusal::Refusal;
use plop_rooms::ops::send::SendEvent;
use plop_state::json::{NumberRule, parse_object};
use ruma::OwnedEventId;

use crate::delayed::Delayed;
use crate::refusal::DelayRefusal;
use crate::schema::{DelayedRow, FailureKind, FailureRow};
use crate::sender::sender;

impl Delayed {
    /// Sends an event, if its user still may.
    pub(crate) async fn send(&self, id: &str, row: &DelayedRow) -> Result<OwnedEventId, DelayRefusal> {
        let account = self.parts().accounts.account(&row.user).await?;
        match account {
            Some(account) if account.deactivated.is_none() => {
                if account.locked || account.suspended {
                    return Err(DelayRefusal::Suspended);
                }
            }
            _ => return Err(DelayRefusal::AccountEnded),
        }
        let content = parse_object(row.content.0.as_bytes(), NumberRule::Strict);
        let event = SendEvent {
            kind: row.kind.clone(),
            state_key: row.state_key.clone(),
            // It was an object when it was scheduled.
            content: content.unwrap_or_default(),
            transaction: None,
            ts: None,
        };
        Ok(self.parts().rooms.send_delayed(&sender(row), &row.room, &event, id).await?)
    }

    /// The event, if it was sent and nothing says so because the process ended in between.
    pub(crate) async fn sent_before(
        &self,
        id: &str,
        row: &DelayedRow,
    ) -> Result<Option<OwnedEventId>, DelayRefusal> {
        Ok(self.parts().rooms.answer_of_delayed(&sender(row), &row.room, &row.kind, id).await?)
    }
}

/// What is kept of a refusal; `None` for those that may pass.
pub(crate) fn failure(refusal: &DelayRefusal) -> Option<FailureRow> {
    let kind = match refusal {
        DelayRefusal::Store(_) => return None,
        DelayRefusal::Suspended => FailureKind::Suspended,
        DelayRefusal::AccountEnded => FailureKind::AccountEnded,
        DelayRefusal::Room(Refusal::NoSuchEvent | Refusal::NoSuchAlias) => FailureKind::NotFound,
        DelayRefusal::Room(Refusal::Event(_) | Refusal::IdTooLong(_)) => FailureKind::TooLarge,
        DelayRefusal::Room(Refusal::TooManyInvites { .. }) => FailureKind::Limited,
        DelayRefusal::Room(
            Refusal::NotInRoom
            | Refusal::MayNotRedact
            | Refusal::Guest
            | Refusal::Banned
            | Refusal::TargetBanned(_)
            | Refusal::NotAdmitted
            | Refusal::InviteBlocked(_)
            | Refusal::Rule(_),
        ) => FailureKind::Forbidden,
        DelayRefusal::Room(_)
        | DelayRefusal::Unseen(_)
        | DelayRefusal::Off
        | DelayRefusal::NoDelay
        | DelayRefusal::TooLong { .. }
        | DelayRefusal::TooMany { .. }
        | DelayRefusal::TooOften { .. }
        | DelayRefusal::TooLarge
        | DelayRefusal::IdTooLong(_)
        | DelayRefusal::NotFound
        | DelayRefusal::Conflict
        | DelayRefusal::NoUser => FailureKind::Other,
    };
    Some(FailureRow { kind, reason: refusal.to_string() })
}
