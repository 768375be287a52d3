//! Rooms and what goes on in them, made through the API, for tests of other endpoints.

use std::fmt::Write as _;

use http::Method;
use plop_accounts::moderation::Decision;
use plop_base::Actor;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::{Answer, Call};

/// A path of the API whose parameters, written `{}`, are these.
pub fn path(template: &str, parameters: &[&str]) -> String {
    let mut parameters = parameters.iter();
    let mut path = "/_matrix/client/v3".to_owned();
    for (index, part) in template.split("{}").enumerate() {
        if index > 0 {
            let parameter = parameters.next().unwrap_or_else(|| panic!("{template} has more parameters"));
            path.push_str(&encoded(parameter));
        }
        path.push_str(part);
    }
    path
}

/// A text as a part of a URI.
pub fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").expect("a string takes anything"),
        }
    }
    out
}

impl Bed {
    /// Several users, whose sessions have been seen: what they do then writes nothing besides.
    pub async fn users<const N: usize>(&self, names: [&str; N]) -> [User; N] {
        let mut users = Vec::new();
        for name in names {
            let user = self.user(name).await;
            self.get("/_matrix/client/v3/joined_rooms").by(&user).await.ok();
            users.push(user);
        }
        users.try_into().expect("as many users as names")
    }

    /// Suspends or readmits somebody.
    pub async fn suspend(&self, user: &User, suspended: bool) {
        let decision = Decision::Suspended(suspended);
        self.api.accounts.decide(&Actor::Server, &user.id, decision).await.expect("a decision");
    }

    /// A request in the name of a user.
    pub fn ask(&self, by: &User, method: Method, template: &str, parameters: &[&str]) -> Call {
        self.call(method, &path(template, parameters)).by(by)
    }

    /// A room of a user's.
    pub async fn room(&self, by: &User, options: Value) -> String {
        text(&self.ask(by, Method::POST, "/createRoom", &[]).json(&options).await.ok()["room_id"])
    }

    /// A room that everyone may join, with these members besides its creator.
    pub async fn public_room(&self, by: &User, members: &[&User]) -> String {
        let room = self.room(by, json!({ "preset": "public_chat" })).await;
        for member in members {
            self.join(member, &room).await.ok();
        }
        room
    }

    pub async fn join(&self, user: &User, room: &str) -> Answer {
        self.ask(user, Method::POST, "/join/{}", &[room]).await
    }

    pub async fn leave(&self, user: &User, room: &str) -> Answer {
        self.ask(user, Method::POST, "/rooms/{}/leave", &[room]).await
    }

    /// `invite`, `kick`, `ban` or `unban`.
    pub async fn act_on(&self, by: &User, room: &str, action: &str, target: &User) -> Answer {
        let call = self.ask(by, Method::POST, "/rooms/{}/{}", &[room, action]);
        call.json(&json!({ "user_id": target.id })).await
    }

    /// Sends a text, with the text as transaction id.
    pub async fn say(&self, by: &User, room: &str, body: &str) -> String {
        let call = self.ask(by, Method::PUT, "/rooms/{}/send/m.room.message/{}", &[room, body]);
        text(&call.json(&json!({ "msgtype": "m.text", "body": body })).await.ok()["event_id"])
    }

    /// Sends an event.
    pub async fn send(&self, by: &User, room: &str, kind: &str, transaction: &str, content: Value) -> String {
        let call = self.ask(by, Method::PUT, "/rooms/{}/send/{}/{}", &[room, kind, transaction]);
        text(&call.json(&content).await.ok()["event_id"])
    }

    /// Sets state with the empty key.
    pub async fn set(&self, by: &User, room: &str, kind: &str, content: Value) -> String {
        let call = self.ask(by, Method::PUT, "/rooms/{}/state/{}", &[room, kind]);
        text(&call.json(&content).await.ok()["event_id"])
    }

    /// The content of an entry of a room's state.
    pub async fn state(&self, by: &User, room: &str, kind: &str, key: &str) -> Value {
        self.ask(by, Method::GET, "/rooms/{}/state/{}/{}", &[room, kind, key]).await.ok()
    }

    /// Sends a request that must not change anything that is stored.
    pub async fn without_effect(&self, call: Call) -> Answer {
        let before = self.db.published();
        let answer = call.await;
        assert_eq!(self.db.published(), before, "something was written: {answer:?}");
        answer
    }
}

/// A string of an answer.
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string")).to_owned()
}

/// A value nested as deep as this.
pub fn nested(levels: usize) -> String {
    format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
}
