//! The members of a room in memory.
//!
//! Owns: [`MemberTable`], a persistent map. Does not own: the rows it is loaded from ([`crate::schema::Members`]).
//!
//! Invariants: a clone shares everything, so publishing a change costs the change; the counts, the local members and the first ones are always
//! those of the map.

mod earliest;

use plop_state_store::EventNumber;
use ruma::{OwnedServerName, OwnedUserId, ServerName, UserId};

use self::earliest::Earliest;
use crate::schema::Membership;

/// How a user stands to the room, and the event that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    pub membership: Membership,
    pub event: EventNumber,
}

/// Everyone who has a member event in the current state.
#[derive(Debug, Clone, Default)]
pub struct MemberTable {
    members: imbl::OrdMap<OwnedUserId, Member>,
    local: imbl::OrdSet<OwnedUserId>,
    /// Joined members of each server that has any.
    servers: imbl::OrdMap<OwnedServerName, u64>,
    joined: u64,
    invited: u64,
    first_present: Earliest,
    first_gone: Earliest,
}

impl MemberTable {
    /// How a user stands to the room; `None` for one who never had to do with it.
    pub fn get(&self, user: &UserId) -> Option<Member> {
        self.members.get(user).copied()
    }

    /// The membership of a user; leaving and never having been there are the same to most rules.
    pub fn membership(&self, user: &UserId) -> Membership {
        self.get(user).map_or(Membership::Leave, |member| member.membership)
    }

    pub fn is_joined(&self, user: &UserId) -> bool {
        self.membership(user) == Membership::Join
    }

    /// Joined members.
    pub fn joined_count(&self) -> u64 {
        self.joined
    }

    /// Invited users.
    pub fn invited_count(&self) -> u64 {
        self.invited
    }

    /// The first of those who are in the room or invited, in the order of their member events: [`FIRST_MEMBERS`](earliest::FIRST_MEMBERS) of them, or all.
    pub fn first_present(&self) -> impl Iterator<Item = &OwnedUserId> {
        self.first_present.users()
    }

    /// The same of those who have left or are banned.
    pub fn first_gone(&self) -> impl Iterator<Item = &OwnedUserId> {
        self.first_gone.users()
    }

    /// Everyone with a member event, in the order of user ids.
    pub fn iter(&self) -> impl Iterator<Item = (&OwnedUserId, Member)> {
        self.members.iter().map(|(user, member)| (user, *member))
    }

    /// The joined and invited users of this server, in the order of user ids: those whom changes concern.
    pub fn local(&self) -> impl Iterator<Item = &OwnedUserId> {
        self.local.iter()
    }

    /// How many [`MemberTable::local`] gives.
    pub fn local_count(&self) -> usize {
        self.local.len()
    }

    /// Whether a server takes part: it has a joined member.
    pub fn has_server(&self, server: &ServerName) -> bool {
        self.servers.contains_key(server)
    }

    /// The servers that take part, in the order of their names.
    pub fn servers(&self) -> impl Iterator<Item = &OwnedServerName> {
        self.servers.keys()
    }

    /// All entries, for the byte budget of what is held in memory.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Sets or, with `None`, removes a member; removal happens when a resolution leaves a user without member event.
    pub fn set(&mut self, user: OwnedUserId, member: Option<Member>, our_server: &ServerName) {
        let before = match member {
            Some(member) => self.members.insert(user.clone(), member),
            None => self.members.remove(&user),
        };
        self.set_first(&user, before, member);
        let was = before.map_or(Membership::Leave, |member| member.membership);
        let is = member.map_or(Membership::Leave, |member| member.membership);
        if (was == Membership::Join) != (is == Membership::Join) {
            self.count_server(user.server_name(), is == Membership::Join);
        }
        // A membership that was counted is in the counter.
        self.joined = self.joined + u64::from(is == Membership::Join) - u64::from(was == Membership::Join);
        self.invited =
            self.invited + u64::from(is == Membership::Invite) - u64::from(was == Membership::Invite);
        if user.server_name() == our_server {
            if matches!(is, Membership::Join | Membership::Invite) {
                self.local.insert(user);
            } else {
                self.local.remove(&user);
            }
        }
    }

    fn set_first(&mut self, user: &OwnedUserId, before: Option<Member>, member: Option<Member>) {
        let lists = [(&mut self.first_present, is_present as IsOne), (&mut self.first_gone, is_gone)];
        for (first, is_one) in lists {
            if let Some(before) = before.filter(is_one) {
                first.remove(before.event, user);
            }
            if let Some(member) = member.filter(is_one) {
                first.add(member.event, user);
            }
            if first.is_short() {
                *first = Earliest::default();
                let all = self.members.iter().filter(|(_, member)| is_one(member));
                all.for_each(|(user, member)| first.add(member.event, user));
            }
        }
    }

    fn count_server(&mut self, server: &ServerName, joins: bool) {
        let joined = self.servers.get(server).copied().unwrap_or(0);
        match if joins { joined + 1 } else { joined.saturating_sub(1) } {
            0 => self.servers.remove(server),
            joined => self.servers.insert(server.to_owned(), joined),
        };
    }
}

/// Whether a member belongs to a list.
type IsOne = fn(&Member) -> bool;

fn is_present(member: &Member) -> bool {
    matches!(member.membership, Membership::Join | Membership::Invite)
}

fn is_gone(member: &Member) -> bool {
    matches!(member.membership, Membership::Leave | Membership::Ban)
}

#[cfg(test)]
mod tests {
    use ruma::{owned_user_id, server_name, user_id};

    use super::earliest::FIRST_MEMBERS;
    use super::*;

    fn member(membership: Membership) -> Option<Member> {
        Some(Member { membership, event: EventNumber(1) })
    }

    #[test]
    fn counts_follow_the_map() {
        let here = server_name!("here");
        let mut table = MemberTable::default();
        table.set(owned_user_id!("@a:here"), member(Membership::Invite), here);
        table.set(owned_user_id!("@b:there"), member(Membership::Join), here);
        assert_eq!((table.joined_count(), table.invited_count(), table.local_count()), (1, 1, 1));
        assert!(table.has_server(server_name!("there")) && !table.has_server(here), "invited is not in");
        table.set(owned_user_id!("@a:here"), member(Membership::Join), here);
        assert_eq!((table.joined_count(), table.invited_count(), table.local_count()), (2, 0, 1));
        let before = table.clone();
        table.set(owned_user_id!("@a:here"), member(Membership::Ban), here);
        table.set(owned_user_id!("@b:there"), None, here);
        assert_eq!(table.servers().count(), 0);
        assert_eq!((table.joined_count(), table.invited_count(), table.local_count()), (0, 0, 0));
        assert_eq!(table.membership(user_id!("@b:there")), Membership::Leave);
        assert!(before.is_joined(user_id!("@a:here")), "an older picture does not change");
    }
    #[test]
    fn the_first_members_are_those_of_the_map() {
        let memberships =
            [Membership::Join, Membership::Leave, Membership::Invite, Membership::Ban, Membership::Knock];
        let mut table = MemberTable::default();
        let mut number = 1_usize;
        for event in 0..5_000 {
            // Some hundred users who come and go, the first of them oftener than others.
            number = number * 48_271 % 2_147_483_647;
            let user = user_id(if number.is_multiple_of(3) { number % 8 } else { number % 150 });
            let membership = memberships[number / 1_000 % memberships.len()];
            let member = Member { membership, event: EventNumber(event) };
            table.set(user, (!number.is_multiple_of(11)).then_some(member), server_name!("here"));
            let first = |are: [Membership; 2]| {
                let those = table.iter().filter(|(_, member)| are.contains(&member.membership));
                let mut those: Vec<_> = those.map(|(user, member)| (member.event, user)).collect();
                those.sort_unstable();
                those.into_iter().take(FIRST_MEMBERS).map(|(_, user)| user).collect::<Vec<_>>()
            };
            let present = first([Membership::Join, Membership::Invite]);
            assert_eq!(table.first_present().collect::<Vec<_>>(), present, "event {event}");
            let gone = first([Membership::Leave, Membership::Ban]);
            assert_eq!(table.first_gone().collect::<Vec<_>>(), gone, "event {event}");
        }
    }

    fn user_id(number: usize) -> OwnedUserId {
        OwnedUserId::try_from(format!("@u{number}:here")).expect("a user id")
    }
}
