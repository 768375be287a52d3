//! What happens in the room.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use super::expected::{STANDINGS, STEPS, Standing};
use super::said::Said;
use super::sliding::DIALECTS;
use crate::bed::{Bed, User};
use crate::call::Answer;
use crate::chat::{encoded, text};

/// A room in which it all has happened.
pub struct Script {
    pub bed: Bed,
    pub visibility: &'static str,
    pub room: String,
    pub alice: User,
    /// One for each standing.
    pub users: [User; STANDINGS.len()],
    pub steps: Vec<Step>,
    /// What each user was told by `/sync` at each step, from before the room was there.
    pub synced: [Vec<Value>; STANDINGS.len()],
    /// The same by sliding sync, in each dialect.
    pub slid: [[Vec<Value>; STANDINGS.len()]; 2],
    /// What was said, where messages have children.
    pub said: Vec<Said>,
    tokens: [String; STANDINGS.len()],
    /// Whether messages have children, members type and read, and everybody uses sliding sync.
    is_whole: bool,
}

/// What was said at a step.
pub struct Step {
    /// The event of the message.
    pub message: String,
    /// When that was, in milliseconds.
    pub time: u64,
    /// Where alice's `/sync` stood behind it.
    pub token: String,
}

/// All of it, for `/sync`.
const FILTER: &str = r#"{"room":{"include_leave":true,"timeline":{"limit":100}}}"#;

impl Script {
    pub async fn play(visibility: &'static str) -> Self {
        Self::run(visibility, false).await
    }

    /// With children of all messages, and everything that goes on beside them.
    pub async fn play_whole(visibility: &'static str) -> Self {
        Self::run(visibility, true).await
    }

    async fn run(visibility: &'static str, is_whole: bool) -> Self {
        let bed = Bed::new().await;
        let [alice] = bed.users(["alice"]).await;
        let users = bed.users(STANDINGS.map(|standing| standing.name)).await;
        let tokens = [const { String::new() }; STANDINGS.len()];
        let (room, steps, synced, slid, said) = Default::default();
        let mut script =
            Self { bed, visibility, room, alice, users, steps, synced, slid, said, tokens, is_whole };
        script.sync_all().await;
        let initial = json!([
            { "type": "m.room.history_visibility", "content": { "history_visibility": visibility } },
        ]);
        script.room = script.bed.room(&script.alice, json!({ "initial_state": initial })).await;
        script.end_step().await;
        let Self { bed, room, alice, users, .. } = &script;
        let [_, invited, joined, left, banned, rejoined] = users;
        for user in [invited, joined, left, banned, rejoined] {
            bed.act_on(alice, room, "invite", user).await.ok();
        }
        script.end_step().await;
        let Self { bed, room, users, .. } = &script;
        for user in &users[2..] {
            bed.join(user, room).await.ok();
        }
        script.end_step().await;
        let Self { bed, room, alice, users, .. } = &script;
        let [.., left, banned, rejoined] = users;
        bed.act_on(alice, room, "ban", banned).await.ok();
        bed.leave(left, room).await.ok();
        bed.leave(rejoined, room).await.ok();
        script.end_step().await;
        let Self { bed, room, alice, users, .. } = &script;
        let [.., rejoined] = users;
        bed.act_on(alice, room, "invite", rejoined).await.ok();
        bed.join(rejoined, room).await.ok();
        script.end_step().await;
        assert_eq!(script.steps.len(), STEPS);
        script
    }

    /// The room gets the name of the step, and its message is said; then everybody syncs.
    async fn end_step(&mut self) {
        // A step has a time of its own, and so has what becomes of the members.
        if self.is_whole {
            self.bed.pass(10).await;
        }
        let Self { bed, room, alice, .. } = self;
        let (number, time) = (self.steps.len(), bed.clock.now().0);
        bed.set(alice, room, "m.room.name", json!({ "name": name(number) })).await;
        let message = bed.say(alice, room, &body(number)).await;
        let token = text(&self.sync(&self.alice, None).await["next_batch"]);
        self.steps.push(Step { message, time, token });
        if self.is_whole {
            self.relate().await;
            self.stir().await;
        }
        self.sync_all().await;
        if self.is_whole {
            self.slide_all().await;
            self.bed.pass(10).await;
        }
    }

    /// Alice reads her message, and types.
    async fn stir(&self) {
        let Self { bed, room, alice, steps, .. } = self;
        let message = &steps[steps.len() - 1].message;
        let read = bed.ask(alice, Method::POST, "/rooms/{}/receipt/m.read/{}", &[room, message]);
        read.json(&json!({})).await.ok();
        // For as long as the others need to ask.
        let typing = bed.ask(alice, Method::PUT, "/rooms/{}/typing/{}", &[room, alice.id.as_str()]);
        typing.json(&json!({ "typing": true, "timeout": 5_000 })).await.ok();
    }

    async fn slide_all(&mut self) {
        for dialect in DIALECTS {
            for number in 0..self.users.len() {
                let before = self.slid[dialect as usize][number].last();
                let pos = before.map(|answer| text(&answer["pos"]));
                let answer = self.slide(&self.users[number], dialect, pos.as_deref()).await;
                self.slid[dialect as usize][number].push(answer);
            }
        }
    }

    async fn sync_all(&mut self) {
        for number in 0..self.users.len() {
            let since = Some(self.tokens[number].as_str()).filter(|token| !token.is_empty());
            let is_first = since.is_none();
            let answer = self.sync(&self.users[number], since).await;
            self.tokens[number] = text(&answer["next_batch"]);
            if !is_first {
                self.synced[number].push(answer);
            }
        }
    }

    pub async fn sync(&self, user: &User, since: Option<&str>) -> Value {
        let since = since.map(|since| format!("&since={since}")).unwrap_or_default();
        let path = format!("/_matrix/client/v3/sync?timeout=0&filter={}{since}", encoded(FILTER));
        self.bed.get(&path).by(user).await.ok()
    }

    /// Each user with the standing and a name for failed assertions.
    pub fn cases(&self) -> impl Iterator<Item = (&User, Standing, String)> {
        let case = |(user, standing): (_, Standing)| {
            (user, standing, format!("{}, {}", self.visibility, standing.name))
        };
        self.users.iter().zip(STANDINGS).map(case)
    }

    /// A request about the room: `path` follows its id.
    pub async fn ask(&self, user: &User, path: &str) -> Answer {
        let path = format!("/_matrix/client/v3/rooms/{}{path}", encoded(&self.room));
        self.bed.call(Method::GET, &path).by(user).await
    }

    /// The steps whose messages the user may see.
    pub fn visible(&self, standing: Standing) -> BTreeSet<usize> {
        (0..STEPS).filter(|step| standing.sees(self.visibility, *step)).collect()
    }

    /// The steps whose messages stand anywhere in an answer, by their ids or by what they say.
    pub fn shown(&self, answer: &Value) -> BTreeSet<usize> {
        let text = answer.to_string();
        let steps = self.steps.iter().enumerate();
        let shown = steps
            .filter(|(number, step)| text.contains(&step.message) || text.contains(&body(*number)))
            .map(|(number, _)| number);
        shown.collect()
    }
}

/// What is said at a step.
pub fn body(step: usize) -> String {
    format!("said at step {step}")
}

/// What the room is called from a step on.
pub fn name(step: usize) -> String {
    format!("room of step {step}")
}
