//! How far the index goes.
//!
//! Owns: the form in which a commit of the index remembers it. Does not own: what it means for the work to be done ([`crate::passes`]).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use plop_db::codec::{decode, encode};
use plop_db::{Identity, Position, record};
use plop_state_store::RoomNumber;

record! {
    /// What an index is of. One of something else is made anew.
    pub struct Stamp = 1 {
        pub form: u32,
        pub language: String,
        pub database: Identity,
    }
}

record! {
    /// How far an index goes.
    pub struct Progress = 1 {
        pub stamp: Stamp,
        /// Everything up to here is in it, of all rooms.
        pub done: Position,
        pub pass: Option<PassRow>,
    }
}

record! {
    /// A pass over rooms that is not at its end.
    #[derive(Copy)]
    pub struct PassRow = 1 {
        /// Where it leads.
        pub target: Position,
        /// Of the rooms before this one everything up to `target` is in the index. Of those behind nothing after `done`.
        pub room: RoomNumber,
        /// Of this one everything up to here.
        pub reached: Position,
    }
}

impl Progress {
    /// An index that has nothing.
    pub fn nothing(stamp: Stamp) -> Self {
        Self { stamp, done: Position::START, pass: None }
    }

    /// As a text, for the commit.
    pub fn to_text(&self) -> String {
        BASE64.encode(encode(self))
    }

    /// Of such a text; `None` for any other.
    pub fn of_text(text: &str) -> Option<Self> {
        decode(&BASE64.decode(text).ok()?).ok()
    }

    /// Whether it is that of an index of this, which knows nothing that the database does not have. What a power cut took of relaxed rows
    /// is no such thing: a database that is opened begins above all that it may have lost, and events are durable.
    pub fn is_of(&self, stamp: &Stamp, published: Position) -> bool {
        self.stamp == *stamp && self.pass.map_or(self.done, |pass| pass.target) <= published
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_keeps_its_form() {
        let database = Identity { database_id: [7; 16], restore_generation: 1 };
        let stamp = Stamp { form: 1, language: "plain".to_owned(), database };
        let position = Position::from_bytes([0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3]);
        let pass = Some(PassRow { target: position, room: RoomNumber(300), reached: Position::START });
        let progress = Progress { done: position, pass, ..Progress::nothing(stamp) };
        let text = progress.to_text();
        assert_eq!(Progress::of_text(&text), Some(progress.clone()));
        for other in ["", "x", "AQ", &format!("{text}A"), "ä"] {
            assert_eq!(Progress::of_text(other), None, "{other}");
        }
        assert!(progress.is_of(&progress.stamp, position));
        assert!(!progress.is_of(&progress.stamp, Position::START), "the database has lost something");
    }
}
