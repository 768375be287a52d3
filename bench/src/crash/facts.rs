//! What the server acknowledged and must therefore still know, and what it may or may not have done.
//!
//! Pure: no I/O. A [`Record`] is one request and how it ended; [`Facts`] are all records so far.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::crash::devices::DeviceFacts;
use crate::crash::files::{Content, FileFacts};
use crate::crash::values::{Cell, Values};

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
    pub values: Values,
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
            Record::Event { room, sender, marker, event_id } => {
                if event_id.is_some() {
                    self.values.synced(&sender);
                }
                let Some(room) = self.room_mut(&room) else { return };
                match event_id {
                    Some(id) => {
                        room.in_doubt.remove(&marker);
                        room.events.insert(marker, id);
                    }
                    None => drop(room.in_doubt.insert(marker)),
                }
            }
            Record::Value { cell, value, acknowledged } => self.values.write(cell, value, acknowledged),
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

    /// All records of this cycle have been applied.
    pub fn complete(&mut self, cycle: &str) {
        self.complete.insert(cycle.to_owned());
        self.values.ended();
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

    /// The driver itself ended in the middle of a cycle: what the cells hold is not known any more.
    pub fn forget_values(&mut self) {
        self.values.forget();
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
