//! What is said in the room, and where it shows up.
//!
//! Owns: [`Said`], the events whose readers the tests look for: the message of each step, and children of it at that step and at each later one. Does not
//! own: who may see them ([`super::expected`]).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::script::{Script, body};

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Message,
    /// In the message's thread.
    Reply,
    /// Of the message.
    Edit,
    Reference,
    /// To the reply of the same step.
    Reaction,
}

/// An event that is told by its name: of which message it is a child, and at which step it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    pub message: usize,
    pub step: usize,
    pub kind: Kind,
}

pub struct Said {
    pub name: Name,
    pub id: String,
}

impl Name {
    /// What it says; nothing else says the same.
    pub fn words(&self) -> String {
        match self.kind {
            Kind::Message => body(self.step),
            kind => format!("{kind:?} at step {} to message {}", self.step, self.message),
        }
    }

    fn relation(&self, parent: &str) -> Value {
        match self.kind {
            Kind::Message => Value::Null,
            Kind::Reply => json!({ "rel_type": "m.thread", "event_id": parent }),
            Kind::Edit => json!({ "rel_type": "m.replace", "event_id": parent }),
            Kind::Reference => json!({ "rel_type": "m.reference", "event_id": parent }),
            Kind::Reaction => json!({ "rel_type": "m.annotation", "event_id": parent, "key": "+" }),
        }
    }
}

impl Script {
    /// Children of every message so far are sent.
    pub async fn relate(&mut self) {
        let step = self.steps.len() - 1;
        let own = Name { message: step, step, kind: Kind::Message };
        self.said.push(Said { name: own, id: self.steps[step].message.clone() });
        for message in 0..=step {
            let mut parent = self.steps[message].message.clone();
            for kind in [Kind::Edit, Kind::Reference, Kind::Reply, Kind::Reaction] {
                let name = Name { message, step, kind };
                let words = name.words();
                let content = json!({
                    "msgtype": "m.text", "body": words, "m.new_content": { "msgtype": "m.text", "body": words },
                    "m.relates_to": name.relation(&parent),
                });
                let kind = if kind == Kind::Reaction { "m.reaction" } else { "m.room.message" };
                let id = self.bed.send(&self.alice, &self.room, kind, &words, content).await;
                if name.kind == Kind::Reply {
                    parent.clone_from(&id);
                }
                self.said.push(Said { name, id });
            }
        }
    }

    pub fn id(&self, name: Name) -> &str {
        let said = self.said.iter().find(|said| said.name == name);
        said.map_or_else(|| panic!("{name:?} was not said"), |said| &*said.id)
    }

    /// Whatever of it stands anywhere in an answer, by its id or by what it says. What an event names as its parent is not shown by it.
    pub fn told(&self, answer: &Value) -> BTreeSet<Name> {
        let mut texts = BTreeSet::new();
        collect(answer, &mut texts);
        let is_told = |said: &&Said| texts.contains(&*said.id) || texts.contains(&*said.name.words());
        self.said.iter().filter(is_told).map(|said| said.name).collect()
    }
}

fn collect<'a>(value: &'a Value, texts: &mut BTreeSet<&'a str>) {
    match value {
        Value::String(text) => _ = texts.insert(text),
        Value::Array(list) => list.iter().for_each(|entry| collect(entry, texts)),
        Value::Object(object) => {
            let told = object.iter().filter(|(key, _)| *key != "m.relates_to");
            told.for_each(|(_, entry)| collect(entry, texts));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
