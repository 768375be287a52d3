//! What the server acknowledged and must therefore still know, and what it may or may not have done.
//!
//! Pure: no I/O. A [`Record`] is one request and how it ended; [`Facts`] are all records so far. A value that is
//! overwritten (state, membership, receipt, account data) is written by one worker at a time, so that what may be read
//! is the last acknowledged value or one that was in doubt after it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::crash::devices::DeviceFacts;
use crate::crash::files::{Content, FileFacts};

/// A value of which only the last one counts, of this user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    pub kind: CellKind,
    pub user_id: String,
    /// Absent for account data.
    pub room: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellKind {
    /// The user's own state event in the room.
    State,
    /// `join` or `leave`.
    Membership,
    /// The event that the user's read receipt points to.
    Receipt,
    AccountData,
    /// The key that the user backed up last.
    Backup,
}

/// One request that changes something, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    Account {
        user_id: String,
        #[serde(default)]
        device_id: String,
        password: String,
        /// The value of the `Authorization` header.
        token: String,
    },
    Room {
        id: String,
        creator: String,
    },
    /// `createRoom` without an answer.
    RoomInDoubt {
        creator: String,
    },
    /// A message. `marker` is its text and its transaction id.
    Event {
        room: String,
        sender: String,
        marker: String,
        /// None: no answer came.
        event_id: Option<String>,
    },
    Value {
        cell: Cell,
        value: String,
        acknowledged: bool,
    },
    /// One-time keys of the user's device.
    KeysUploaded {
        user_id: String,
        ids: Vec<String>,
        acknowledged: bool,
    },
    /// A one-time key of the user's device was asked for; `None` where none was left, or no answer came.
    KeyClaimed {
        user_id: String,
        key: Option<String>,
        acknowledged: bool,
    },
    /// A message to a device. `marker` is its transaction id as well.
    ToDevice {
        to: String,
        device: String,
        sender: String,
        marker: String,
        acknowledged: bool,
    },
    /// A file. `name` is what follows `mxc://`; `None` where only an answer could have said it, and none came.
    File {
        user_id: String,
        name: Option<String>,
        content: Content,
        acknowledged: bool,
    },
    /// A file that is to be uploaded later. `name` as above.
    Announced {
        user_id: String,
        name: Option<String>,
    },
}

/// An account as the driver uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAccount {
    pub user_id: String,
    pub device_id: String,
    pub password: String,
    pub token: String,
}

/// A room, its creator (who never leaves, and reads it for the checks), and the messages in it that must be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownRoom {
    pub id: String,
    pub creator: String,
    /// Event ids by marker.
    pub events: BTreeMap<String, String>,
    /// Markers of messages that may be there.
    pub in_doubt: BTreeSet<String>,
    /// Markers of messages that a check has seen.
    pub seen: BTreeSet<String>,
    /// The newest event at the last check: everything below it was seen then.
    pub checked_through: Option<String>,
}

/// Everything that the server must still know.
#[derive(Debug, Default)]
pub struct Facts {
    pub accounts: Vec<KnownAccount>,
    pub rooms: Vec<KnownRoom>,
    pub devices: DeviceFacts,
    pub files: FileFacts,
    /// What each cell may hold, nothing included; empty where that is not known.
    cells: BTreeMap<Cell, BTreeSet<Option<String>>>,
    room_index: BTreeMap<String, usize>,
    account_index: BTreeMap<String, usize>,
    /// The cycles whose records are all known. Only their messages can be judged as never sent.
    complete: BTreeSet<String>,
}

impl Facts {
    pub fn apply(&mut self, record: &Record) {
        match record.clone() {
            Record::Account { user_id, device_id, password, token } => {
                self.account_index.insert(user_id.clone(), self.accounts.len());
                self.accounts.push(KnownAccount { user_id, device_id, password, token });
            }
            Record::Room { id, creator } => {
                self.room_index.insert(id.clone(), self.rooms.len());
                self.rooms.push(KnownRoom { id, creator, ..KnownRoom::default() });
            }
            Record::RoomInDoubt { .. } => {}
            Record::Event { room, marker, event_id, .. } => {
                let Some(room) = self.room_mut(&room) else { return };
                match event_id {
                    Some(id) => {
                        room.in_doubt.remove(&marker);
                        room.events.insert(marker, id);
                    }
                    None => drop(room.in_doubt.insert(marker)),
                }
            }
            Record::Value { cell, value, acknowledged } => self.write(cell, value, acknowledged),
            Record::KeysUploaded { user_id, ids, acknowledged } => {
                self.devices.uploaded(&user_id, &ids, acknowledged);
            }
            Record::KeyClaimed { user_id, key, acknowledged } => {
                self.devices.claimed(&user_id, key.as_deref(), acknowledged);
            }
            Record::ToDevice { to, sender, marker, acknowledged, .. } => {
                self.devices.sent(&to, &sender, &marker, acknowledged);
            }
            Record::File { user_id, name: Some(name), content, acknowledged } => {
                self.files.uploaded(&name, &user_id, &content, acknowledged);
            }
            Record::Announced { user_id, name: Some(name) } => self.files.announced(&name, &user_id),
            // Nobody knows where it would be.
            Record::File { name: None, .. } | Record::Announced { name: None, .. } => {}
        }
    }

    fn write(&mut self, cell: Cell, value: String, acknowledged: bool) {
        if cell.kind == CellKind::Membership && value == "leave" {
            // A server may forget the receipts of who leaves, or keep them for when they come back.
            let receipt = Cell { kind: CellKind::Receipt, ..cell.clone() };
            self.cells.entry(receipt).and_modify(|values| {
                values.insert(None);
            });
        }
        let values = self.cells.entry(cell).or_insert_with(|| BTreeSet::from([None]));
        if acknowledged {
            *values = BTreeSet::from([Some(value)]);
        } else if !values.is_empty() {
            values.insert(Some(value));
        }
    }

    /// All records of this cycle have been applied.
    pub fn complete(&mut self, cycle: &str) {
        self.complete.insert(cycle.to_owned());
    }

    pub fn room(&self, id: &str) -> Option<&KnownRoom> {
        self.rooms.get(*self.room_index.get(id)?)
    }

    pub fn room_mut(&mut self, id: &str) -> Option<&mut KnownRoom> {
        self.rooms.get_mut(*self.room_index.get(id)?)
    }

    pub fn account(&self, user_id: &str) -> Option<&KnownAccount> {
        self.accounts.get(*self.account_index.get(user_id)?)
    }

    pub fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.cells.keys()
    }

    /// What the cell is known to hold; None when it holds nothing or that is not known.
    pub fn value(&self, cell: &Cell) -> Option<&str> {
        let values = self.cells.get(cell)?;
        if values.len() == 1 { values.first()?.as_deref() } else { None }
    }

    /// Judges what was read from a cell. A value that was possible is settled: from now on it is the only one.
    pub fn settle(&mut self, cell: &Cell, read: Option<String>) -> Result<(), String> {
        let Some(possible) = self.cells.get_mut(cell) else { return Ok(()) };
        // Nothing is known after a cycle whose records were lost with the driver: what is there is adopted.
        if !possible.is_empty() && !possible.contains(&read) {
            return Err(format!("{cell:?} is {read:?} and not one of {possible:?}"));
        }
        *possible = BTreeSet::from([read]);
        Ok(())
    }

    /// The driver itself ended in the middle of a cycle: what the cells hold is not known any more.
    pub fn forget_values(&mut self) {
        self.cells.values_mut().for_each(BTreeSet::clear);
        self.devices.forget();
    }

    /// Judges the messages (event ids by marker) that a walk through a room's history saw: the `whole` history, or what
    /// came after the last check.
    pub fn judge(
        &self,
        room: &KnownRoom,
        messages: &BTreeMap<String, Vec<String>>,
        whole: bool,
    ) -> Vec<String> {
        let mut violations = Vec::new();
        for (marker, ids) in messages {
            if ids.len() > 1 {
                violations.push(format!("{marker} is there {} times: {ids:?}", ids.len()));
            }
            if self.never_sent(room, marker) {
                violations.push(format!("{marker} was never sent successfully, but is there"));
            }
        }
        let expected = room.events.iter().filter(|(marker, _)| whole || !room.seen.contains(*marker));
        for (marker, id) in expected {
            match messages.get(marker).and_then(|ids| ids.first()) {
                None => violations.push(format!("{marker} ({id}) is lost from {}", room.id)),
                Some(found) if found != id => {
                    violations.push(format!("{marker} was acknowledged as {id} and is {found}"));
                }
                Some(_) => {}
            }
        }
        violations
    }

    /// Whether a message with this marker was certainly never sent successfully.
    fn never_sent(&self, room: &KnownRoom, marker: &str) -> bool {
        let known = room.events.contains_key(marker) || room.in_doubt.contains(marker);
        self.complete.contains(cycle_of(marker)) && !known
    }
}

/// The name of a cycle, from a marker `cycle.worker.number`.
fn cycle_of(marker: &str) -> &str {
    marker.split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell() -> Cell {
        Cell { kind: CellKind::State, user_id: "@a:b".into(), room: Some("!r".into()) }
    }

    fn write(facts: &mut Facts, value: &str, acknowledged: bool) {
        facts.apply(&Record::Value { cell: cell(), value: value.into(), acknowledged });
    }

    #[test]
    fn an_acknowledged_value_must_be_there() {
        let mut facts = Facts::default();
        write(&mut facts, "1", true);
        write(&mut facts, "2", true);
        assert!(facts.settle(&cell(), Some("1".into())).is_err());
        assert!(facts.settle(&cell(), None).is_err());
        assert!(facts.settle(&cell(), Some("2".into())).is_ok());
    }

    #[test]
    fn a_value_in_doubt_may_be_there_until_one_of_both_was_seen() {
        let mut facts = Facts::default();
        write(&mut facts, "1", true);
        write(&mut facts, "2", false);
        assert_eq!(facts.value(&cell()), None);
        assert!(facts.settle(&cell(), Some("3".into())).is_err());
        assert!(facts.settle(&cell(), Some("1".into())).is_ok());
        assert!(facts.settle(&cell(), Some("2".into())).is_err());
    }

    #[test]
    fn a_first_write_in_doubt_may_have_left_nothing() {
        let mut facts = Facts::default();
        write(&mut facts, "1", false);
        assert!(facts.settle(&cell(), None).is_ok());
        assert!(facts.settle(&cell(), Some("1".into())).is_err());
    }

    #[test]
    fn after_a_lost_cycle_the_next_value_is_adopted() {
        let mut facts = Facts::default();
        write(&mut facts, "1", true);
        facts.forget_values();
        assert!(facts.settle(&cell(), Some("9".into())).is_ok());
        assert!(facts.settle(&cell(), Some("1".into())).is_err());
    }

    /// A room with an acknowledged message `1-1.0.1` and one in doubt, `1-1.0.2`.
    fn with_messages() -> Facts {
        let mut facts = Facts::default();
        facts.apply(&Record::Room { id: "!r".into(), creator: "@a:b".into() });
        let sent = |marker: &str, id: Option<&str>| Record::Event {
            room: "!r".into(),
            sender: "@a:b".into(),
            marker: marker.into(),
            event_id: id.map(str::to_owned),
        };
        facts.apply(&sent("1-1.0.1", Some("$1")));
        facts.apply(&sent("1-1.0.2", None));
        facts.complete("1-1");
        facts
    }

    fn judge(facts: &Facts, messages: &[(&str, &[&str])]) -> usize {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let messages = messages.iter().map(|(marker, found)| ((*marker).to_owned(), ids(found))).collect();
        facts.judge(facts.room("!r").unwrap(), &messages, false).len()
    }

    #[test]
    fn a_message_is_there_once_under_its_id() {
        let facts = with_messages();
        assert_eq!(judge(&facts, &[("1-1.0.1", &["$1"])]), 0);
        assert_eq!(judge(&facts, &[("1-1.0.1", &["$1"]), ("1-1.0.2", &["$2"])]), 0);
        assert_eq!(judge(&facts, &[]), 1, "lost");
        assert_eq!(judge(&facts, &[("1-1.0.1", &["$9"])]), 1, "another id");
        assert_eq!(judge(&facts, &[("1-1.0.1", &["$1", "$9"])]), 1, "twice");
        assert_eq!(judge(&facts, &[("1-1.0.1", &["$1"]), ("1-1.0.2", &["$2", "$3"])]), 1, "twice");
    }

    #[test]
    fn only_messages_of_complete_cycles_are_judged() {
        let facts = with_messages();
        assert_eq!(judge(&facts, &[("1-1.0.1", &["$1"]), ("1-1.0.3", &["$3"])]), 1, "never sent");
        assert_eq!(judge(&facts, &[("1-1.0.1", &["$1"]), ("1-2.0.1", &["$3"])]), 0, "records not all known");
    }
}
