//! One user, all of whose ways to read are tried: what was found is compared with what is to be found, and the differences are kept.

use std::collections::BTreeSet;
use std::fmt::Debug;

use http::Method;
use serde_json::Value;

use super::expected::{STEPS, Standing, Then};
use super::said::{Kind, Name};
use super::script::{Script, name};
use crate::bed::User;
use crate::call::Answer;
use crate::chat::encoded;

pub struct Reader<'a> {
    pub script: &'a Script,
    pub user: &'a User,
    pub standing: Standing,
    case: String,
    wrong: Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn all(script: &'a Script) -> impl Iterator<Item = Self> {
        let reader = move |(user, standing, case)| Self { script, user, standing, case, wrong: Vec::new() };
        script.cases().map(reader)
    }

    /// What was not as it is to be.
    pub fn wrong(self) -> Vec<String> {
        self.wrong
    }

    pub fn visibility(&self) -> &'static str {
        self.script.visibility
    }

    /// Whether the user may see what was sent at a step.
    pub fn sees(&self, step: usize) -> bool {
        self.standing.sees(self.script.visibility, step)
    }

    pub fn has_access(&self) -> bool {
        self.standing.has_access(self.script.visibility)
    }

    /// Whether the user was in the room at any time.
    pub fn was_there(&self) -> bool {
        self.standing.stood.contains(&Then::Joined)
    }

    /// What the user may see of all that was said, as far as it is looked for.
    pub fn may_see(&self, wanted: impl Fn(&Name) -> bool) -> BTreeSet<Name> {
        let names = self.script.said.iter().map(|said| said.name);
        names.filter(|name| self.sees(name.step) && wanted(name)).collect()
    }

    pub fn told(&self, answer: &Value) -> BTreeSet<Name> {
        self.script.told(answer)
    }

    pub fn expect<T: PartialEq + Debug>(&mut self, way: &str, found: T, expected: T) {
        if found != expected {
            let case = &self.case;
            self.wrong.push(format!("{case}, {way}:\n   found    {found:?}\n   expected {expected:?}"));
        }
    }

    /// Nothing but what the user may see, and of the state nothing but what they may read.
    pub fn expect_no_more(&mut self, way: &str, answer: &Value) {
        let more: Vec<_> = self.told(answer).into_iter().filter(|name| !self.sees(name.step)).collect();
        self.expect(&format!("{way}: what may not be seen"), more, Vec::new());
    }

    /// The body of an answer that is given to whom it is due; everybody else is refused.
    pub fn allowed(&mut self, way: &str, answer: Answer, is_allowed: bool, status: u16) -> Option<Value> {
        let expected = if is_allowed { 200 } else { status };
        self.expect(&format!("{way}: status"), answer.status.as_u16(), expected);
        if answer.status != 200 {
            self.expect(way, self.told(&answer.body), BTreeSet::new());
        }
        (answer.status == 200).then_some(answer.body)
    }

    /// A request about the room: `path` follows its id.
    pub async fn get(&self, path: &str) -> Answer {
        self.at("v3", path).await
    }

    /// The same under the first version of the path.
    pub async fn get_v1(&self, path: &str) -> Answer {
        self.at("v1", path).await
    }

    async fn at(&self, version: &str, path: &str) -> Answer {
        let path = format!("/_matrix/client/{version}/rooms/{}{path}", encoded(&self.script.room));
        self.script.bed.call(Method::GET, &path).by(self.user).await
    }

    /// What is told of the children of each message in an answer, wherever it stands.
    pub fn expect_bundles(&mut self, way: &str, answer: &Value) {
        for step in 0..STEPS {
            let id = self.script.steps[step].message.clone();
            for event in events_with(answer, &id) {
                let told = &event["unsigned"]["m.relations"];
                let way = format!("{way}, children of message {step}");
                let seen = |kind| self.may_see(|name| name.message == step && name.kind == kind);
                let (edits, replies, references) =
                    (seen(Kind::Edit), seen(Kind::Reply), seen(Kind::Reference));
                self.expect(&format!("{way}: edit"), self.told(&told["m.replace"]), last(&edits));
                self.expect(&format!("{way}: references"), self.told(&told["m.reference"]), references);
                let thread = &told["m.thread"];
                self.expect(&format!("{way}: reply"), self.told(thread), last(&replies));
                let count = usize::try_from(thread["count"].as_u64().unwrap_or(0)).expect("few");
                // Who sees the latest reply is told of how many there are, be it that they missed some.
                let all = if self.sees(STEPS - 1) { STEPS - step } else { replies.len() };
                let is_between = (replies.len()..=all).contains(&count);
                self.expect(&format!("{way}: {count} replies of {replies:?}"), is_between, true);
            }
        }
    }

    /// The name of the room in a list of state is the one of the state that the user may read.
    pub fn expect_state(&mut self, way: &str, state: &Value) {
        let names = state.as_array().into_iter().flatten().filter(|event| event["type"] == "m.room.name");
        let names: Vec<_> = names.map(|event| event["content"]["name"].clone()).collect();
        let step = self.standing.state_of(self.script.visibility);
        self.expect(way, names, step.map(|step| name(step).into()).into_iter().collect());
    }
}

/// The newest of some children.
fn last(names: &BTreeSet<Name>) -> BTreeSet<Name> {
    names.last().copied().into_iter().collect()
}

/// The events with this id, wherever they stand.
fn events_with<'v>(value: &'v Value, id: &str) -> Vec<&'v Value> {
    let mut found = Vec::new();
    if value["event_id"] == id && value["content"].is_object() {
        found.push(value);
    }
    match value {
        Value::Array(list) => list.iter().for_each(|entry| found.extend(events_with(entry, id))),
        Value::Object(object) => object.values().for_each(|entry| found.extend(events_with(entry, id))),
        _ => {}
    }
    found
}
