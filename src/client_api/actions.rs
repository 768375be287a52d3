//! Kinds of requests that are limited by themselves, besides the budgets of their user.
//!
//! Owns: the kinds. Does not own: what each costs, how often (an administrator's), the counts ([`crate::budgets`]), which route is of which kind
//! (the tables of routes say so).
//!
//! Invariant: a kind that is not named in [`ActionRates`] does not compile.

use plop_base::buckets::Rate;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Messages and other events.
    Send,
    CreateRoom,
    /// Entering a room, or asking to be let in.
    Join,
    Invite,
    /// Of a room, an event or a user.
    Report,
    /// For messages, or for rooms.
    Search,
    /// For users.
    UserDirectory,
    /// Of media.
    Upload,
    /// Of an address.
    Preview,
}

/// How often each kind may come from one user; `None` as often as the user's budgets allow.
#[derive(Clone, Copy, Debug, Default)]
pub struct ActionRates {
    pub sends: Option<Rate>,
    pub room_creations: Option<Rate>,
    pub joins: Option<Rate>,
    pub invites: Option<Rate>,
    pub reports: Option<Rate>,
    pub searches: Option<Rate>,
    pub user_directory: Option<Rate>,
    pub uploads: Option<Rate>,
    pub previews: Option<Rate>,
}

impl ActionRates {
    pub(crate) const fn of(&self, action: Action) -> Option<Rate> {
        match action {
            Action::Send => self.sends,
            Action::CreateRoom => self.room_creations,
            Action::Join => self.joins,
            Action::Invite => self.invites,
            Action::Report => self.reports,
            Action::Search => self.searches,
            Action::UserDirectory => self.user_directory,
            Action::Upload => self.uploads,
            Action::Preview => self.previews,
        }
    }
}
