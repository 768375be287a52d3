//! How many invitations a user gets, and a room sends, whoever sends them.
//!
//! Owns: counting them. Does not own: what one user may do ([`plop_accounts`] and the entrances), who wants no invitations.
//!
//! Invariants: every way to invite takes from here, at once or later, after all else has allowed the invitation: what is refused costs nothing.
//! Several invitations are all allowed or none. Memory is bounded.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use plop_base::Actor;
use plop_base::buckets::{Buckets, Rate};
use plop_base::clock::Clock;
use ruma::{OwnedRoomId, OwnedUserId, RoomId};

/// What an administrator chose; `None` is no limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct InviteRates {
    /// Invitations to one user, by everybody together.
    pub to_user: Option<Rate>,
    /// Invitations into one room, by everybody together.
    pub to_room: Option<Rate>,
}

/// What has been sent.
pub struct Invitations {
    rates: InviteRates,
    clock: Clock,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    users: Buckets<OwnedUserId>,
    rooms: Buckets<OwnedRoomId>,
}

impl Invitations {
    pub fn new(rates: InviteRates, clock: Clock) -> Self {
        Self { rates, clock, taken: Mutex::default() }
    }

    /// Takes what invitations cost, into a room that is there or one that is being made.
    ///
    /// # Errors
    /// How long to wait, while one of the users, or the room, has had too many.
    pub fn take(&self, actor: &Actor, room: Option<&RoomId>, users: &[OwnedUserId]) -> Result<(), Duration> {
        if users.is_empty() || !is_limited(actor) {
            return Ok(());
        }
        let now = self.clock.monotonic();
        let room = room.map(ToOwned::to_owned).zip(self.rates.to_room);
        let count = u32::try_from(users.len()).unwrap_or(u32::MAX);
        // Whoever holds it leaves whole entries.
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let to_user = self.rates.to_user.into_iter();
        let waits = to_user.flat_map(|rate| users.iter().map(move |user| (user, rate)));
        let waits = waits.map(|(user, rate)| taken.users.wait(now, user, rate, 1));
        let of_room = room.as_ref().map(|(room, rate)| taken.rooms.wait(now, room, *rate, count));
        let wait = waits.chain(of_room).max().unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        if let Some(rate) = self.rates.to_user {
            users.iter().for_each(|user| taken.users.charge(now, user, rate, 1));
        }
        if let Some((room, rate)) = room {
            taken.rooms.charge(now, &room, rate, count.min(rate.burst));
        }
        Ok(())
    }
}

/// The server invites as its administrator tells it to. One who is heard by nobody gets the answers that anybody gets.
fn is_limited(actor: &Actor) -> bool {
    match actor {
        Actor::User { .. } | Actor::AppService { .. } | Actor::Guest { .. } | Actor::ShadowBanned { .. } => {
            true
        }
        Actor::AdminAs { .. } | Actor::Server | Actor::ServerAs { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use plop_base::UnixMillis;
    use ruma::{owned_device_id, owned_user_id};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn row_149_invitations_are_limited_by_whom_and_where() {
        let clock = Clock::simulated(UnixMillis(0));
        let rate = |burst| Some(Rate { burst, interval: Duration::from_secs(1) });
        let rates = InviteRates { to_user: rate(2), to_room: rate(3) };
        let invitations = Invitations::new(rates, clock.clone());
        let room = |name: &str| OwnedRoomId::try_from(format!("!{name}:plop.example")).expect("a room");
        let user = |name: &str| OwnedUserId::try_from(format!("@{name}:plop.example")).expect("a user");
        let alice = Actor::User { user: user("alice"), device: owned_device_id!("D") };
        let invite = |to: &str, into: &str| invitations.take(&alice, Some(&room(into)), &[user(to)]).is_ok();
        assert!(invite("bob", "a") && invite("bob", "b") && !invite("bob", "c"));
        assert!(invite("carol", "a") && invite("dave", "a") && !invite("erin", "a"));
        clock.sleep(Duration::from_secs(1)).await;
        assert!(invite("bob", "c") && invite("erin", "a"));
        let many = invitations.take(&alice, None, &[user("frank"), user("bob")]);
        assert_eq!(many, Err(Duration::from_secs(1)), "all or none");
        assert!(invite("frank", "d") && invite("frank", "d"));
        let notices = Actor::ServerAs { user: owned_user_id!("@notices:plop.example") };
        assert_eq!(invitations.take(&notices, Some(&room("d")), &[user("bob")]), Ok(()));
    }
}
