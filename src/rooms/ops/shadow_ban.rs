//! Users who are heard by nobody and are not told ([`Actor::ShadowBanned`]).
//!
//! Owns: whom it concerns. Does not own: who is banned so, what an operation does.
//!
//! What such a user asks of a room is carried out in full and then taken back ([`Operation::abandon`](crate::operation::Operation::abandon)), so
//! that each answer, a refusal too, is the one that anybody else would get. Coming and going happens, since it changes what is delivered to them, but without a
//! text of theirs; so does creating a room, which nobody is invited to and which is not listed.
//!
//! Invariants: the match is exhaustive, so a new kind of actor has to be decided about here.

use plop_base::Actor;

/// Whether what the actor does reaches other users.
pub fn reaches_others(actor: &Actor) -> bool {
    match actor {
        Actor::User { .. }
        | Actor::AppService { .. }
        | Actor::Guest { .. }
        | Actor::AdminAs { .. }
        | Actor::Server
        | Actor::ServerAs { .. } => true,
        Actor::ShadowBanned { .. } => false,
    }
}
