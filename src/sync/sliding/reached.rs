//! How far a request has looked.
//!
//! Owns: [`Reached`], what the next look of the same request goes on from. Does not own: looking, what of it is stored.
//!
//! Invariants: a look that found nothing counts as an answer that nobody got: the connection after it is the request's alone. The answer that the request
//! comes to tells the store what all of its looks have passed over.

use plop_base::UnixMillis;
use plop_ephemeral::LivePosition;

use super::connection::{Connection, Told, TooManyWishes};
use super::pass::PassResult;
use super::schema::MarkRow;

/// Where the next look begins.
pub struct Reached {
    pub connection: Connection,
    pub mark: MarkRow,
    pub typing: Option<LivePosition>,
    /// What was passed over.
    pub told: Told,
    /// Whether anything has woken the request in vain.
    pub has_passed: bool,
}

impl Reached {
    /// A request that has not looked yet.
    pub fn new(connection: &Connection, came_with: &MarkRow, typing: Option<LivePosition>) -> Self {
        let MarkRow { account_data, encryption, thread_subscriptions, .. } = *came_with;
        let told = Told { account_data, encryption, thread_subscriptions, ..Told::default() };
        let (connection, mark) = (connection.clone(), came_with.clone());
        Self { connection, mark, typing, told, has_passed: false }
    }

    /// A look has found nothing.
    pub fn go_on(&mut self, result: &mut PassResult, now: UnixMillis) -> Result<(), TooManyWishes> {
        let told = std::mem::take(&mut result.told);
        (self.connection, _) = self.connection.after(&self.mark, result.to, told.clone(), now)?;
        self.mark = self.connection.row.current.clone();
        self.typing = Some(result.typing);
        self.told = std::mem::take(&mut self.told).then(told);
        Ok(())
    }
}
