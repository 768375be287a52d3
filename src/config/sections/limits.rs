//! `[limits]`: what one client may take from all.

use std::num::{NonZeroU32, NonZeroU64};

use serde::{Deserialize, Serialize};

use crate::Problems;
use crate::schema::section;

section! {
    /// What one client may take from all.
    pub struct Limits {
        /// Most open connections of all listeners together, metrics apart. Above it new ones wait in the operating system.
        pub connections: NonZeroU32 = const { NonZeroU32::new(10_000).unwrap() },
        /// Most open connections from one IPv4 address or one IPv6 /64; more are closed at once. Addresses of this
        /// machine, of private networks and of `server.trusted_proxies` are not counted: they may stand for many clients.
        pub connections_per_address: NonZeroU32 = const { NonZeroU32::new(500).unwrap() },
        /// Most seconds until a connection has finished its TLS handshake and until a request's head is there; also
        /// how long an idle connection is kept.
        pub head_seconds: NonZeroU64 = const { NonZeroU64::new(30).unwrap() },
        /// Whether logins, registrations and requests for mails are limited by the rates that follow. Off only for tests and
        /// measurements.
        pub attempts: bool = true,
        /// Tries of passwords of one account, from where none of its devices was seen and, apart from that, from where one was.
        pub logins_to_account: Often = Often { at_once: 10, per_hour: 180 },
        /// Tries of passwords from one IPv4 address or one IPv6 /64.
        pub logins_from_address: Often = Often { at_once: 30, per_hour: 720 },
        /// Tries of passwords by everybody together, from where no device of the account was seen.
        pub logins_of_all: Often = Often { at_once: 500, per_hour: 72_000 },
        /// Registrations, and tries of registration tokens, from one IPv4 address or one IPv6 /64. A registration is three: the
        /// flows, the proof, the account.
        pub registrations_from_address: Often = Often { at_once: 30, per_hour: 360 },
        /// The same by everybody together.
        pub registrations_of_all: Often = Often { at_once: 300, per_hour: 3_600 },
        /// Guests who get an account, from one IPv4 address or one IPv6 /64.
        pub guests_from_address: Often = Often { at_once: 10, per_hour: 60 },
        /// The same of everybody together.
        pub guests_of_all: Often = Often { at_once: 100, per_hour: 1_200 },
        /// Mails to one address.
        pub mails_to_address: Often = Often { at_once: 3, per_hour: 6 },
        /// Mails that are asked for from one IPv4 address or one IPv6 /64.
        pub mails_from_address: Often = Often { at_once: 10, per_hour: 60 },
        /// Mails that are asked for by everybody together.
        pub mails_of_all: Often = Often { at_once: 100, per_hour: 1_200 },
        /// Whether requests of one user are limited by the budgets and rates that follow; whoever is above one gets 429 and when
        /// to come again. Off only for tests and measurements.
        pub requests: bool = true,
        /// Requests that change something, of one user: what comes in a second for long, ...
        pub writes_per_second: NonZeroU32 = const { NonZeroU32::new(10).unwrap() },
        /// ... and at once. A join or an invitation counts for 5 of them, a new room for 20.
        pub writes_at_once: NonZeroU32 = const { NonZeroU32::new(200).unwrap() },
        /// Messages and other events of one user, besides what counts for requests that change something. What one user may do
        /// ten times over, all users of one IPv4 address or one IPv6 /64 may do together (not of this machine and of private
        /// networks); so for the kinds that follow, too. `per_hour = 0` switches a rate off.
        pub sends: Often = Often { at_once: 200, per_hour: 18_000 },
        /// New rooms of one user.
        pub room_creations: Often = Often { at_once: 20, per_hour: 60 },
        /// Rooms that one user enters or asks to be let in.
        pub joins: Often = Often { at_once: 50, per_hour: 360 },
        /// Invitations that one user sends.
        pub invites: Often = Often { at_once: 100, per_hour: 360 },
        /// Invitations that one user gets from everybody here together.
        pub invites_to_user: Often = Often { at_once: 30, per_hour: 60 },
        /// Invitations into one room from everybody here together.
        pub invites_to_room: Often = Often { at_once: 200, per_hour: 1_200 },
        /// Reports by one user.
        pub reports: Often = Often { at_once: 20, per_hour: 60 },
        /// Searches of one user, for messages or rooms.
        pub searches: Often = Often { at_once: 30, per_hour: 1_800 },
        /// Searches of one user for users.
        pub user_directory: Often = Often { at_once: 50, per_hour: 3_600 },
        /// Media that one user uploads.
        pub uploads: Often = Often { at_once: 100, per_hour: 1_200 },
        /// Previews of addresses that one user asks for.
        pub previews: Often = Often { at_once: 100, per_hour: 3_600 },
        /// Reads that cost more than a look-up (pages and lists of rooms), of one user: in a second for long, ...
        pub reads_per_second: NonZeroU32 = const { NonZeroU32::new(20).unwrap() },
        /// ... and at once. A search counts for 5 of them; a large answer of `/sync` for one in 64 KiB.
        pub reads_at_once: NonZeroU32 = const { NonZeroU32::new(200).unwrap() },
        /// Such reads without a session, of one IPv4 address or one IPv6 /64: in a second for long, ...
        pub stranger_reads_per_second: NonZeroU32 = const { NonZeroU32::new(2).unwrap() },
        /// ... and at once.
        pub stranger_reads_at_once: NonZeroU32 = const { NonZeroU32::new(60).unwrap() },
        /// Full answers of `/sync` to one user that are made or sent at a time.
        pub full_syncs_at_once: NonZeroU32 = const { NonZeroU32::new(2).unwrap() },
        /// Largest body of a request, in KiB, where an endpoint says nothing else.
        pub body_kib: NonZeroU32 = const { NonZeroU32::new(1_024).unwrap() },
        /// The same for requests without a session: logins, registrations.
        pub stranger_body_kib: NonZeroU32 = const { NonZeroU32::new(64).unwrap() },
        /// Most memory, in MiB, for bodies that are being read; a quarter of it again for those without a session.
        /// Above it requests are refused for a moment.
        pub bodies_mib: NonZeroU32 = const { NonZeroU32::new(256).unwrap() },
    }
}

/// How often something may be done: so much at once, and so much in an hour for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Often {
    pub at_once: u32,
    pub per_hour: u32,
}

impl Limits {
    pub(crate) fn validate(&self, problems: &mut Problems) {
        let rates = [
            ("logins_to_account", self.logins_to_account),
            ("logins_from_address", self.logins_from_address),
            ("logins_of_all", self.logins_of_all),
            ("registrations_from_address", self.registrations_from_address),
            ("registrations_of_all", self.registrations_of_all),
            ("guests_from_address", self.guests_from_address),
            ("guests_of_all", self.guests_of_all),
            ("mails_to_address", self.mails_to_address),
            ("mails_from_address", self.mails_from_address),
            ("mails_of_all", self.mails_of_all),
            ("sends", self.sends),
            ("room_creations", self.room_creations),
            ("joins", self.joins),
            ("invites", self.invites),
            ("invites_to_user", self.invites_to_user),
            ("invites_to_room", self.invites_to_room),
            ("reports", self.reports),
            ("searches", self.searches),
            ("user_directory", self.user_directory),
            ("uploads", self.uploads),
            ("previews", self.previews),
        ];
        for (key, _) in rates.iter().filter(|(_, often)| often.per_hour > 0 && often.at_once == 0) {
            problems.add(format!("limits.{key}"), "none at once is none at all; `per_hour = 0` is no limit");
        }
    }
}
