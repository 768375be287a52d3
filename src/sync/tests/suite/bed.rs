//! What the tests sync with: a server, and clients that sync.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use plop_accounts::account_data::Subject;
use plop_base::{Actor, TaskKind};
pub use plop_bed::{Ground, id, json, user};
pub use plop_bed_rooms::{private_room, public_room};
use plop_bed_server::Server;
pub use plop_bed_server::{keyspaces, text};
use plop_ephemeral::PresenceState;
use plop_state::json::Object;
use plop_sync::{SyncError, SyncRequest};
use ruma::RoomId;
use serde_json::Value;

/// A server whose users stop typing after a while.
pub struct Bed(Server);

impl Deref for Bed {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl Bed {
    pub async fn new() -> Self {
        Self::on(Ground::new(keyspaces(), 7)).await
    }

    /// The same database, with nothing of what was in memory.
    pub async fn restarted(&self) -> Self {
        Self::on(self.ground.restarted()).await
    }

    pub async fn on(ground: Ground) -> Self {
        let server = Server::on(ground, plop_bed::parameters()).await;
        let timer = Arc::clone(&server.typing);
        server.tasks.spawn(TaskKind::Maintenance, "typing", move || {
            let timer = Arc::clone(&timer);
            async move {
                timer.run().await;
                Ok(())
            }
        });
        Self(server)
    }

    pub async fn set_account_data(&self, name: &str, room: Option<&RoomId>, kind: &str, content: Object) {
        let content = plop_state::json::canonical(&content.into());
        let content = serde_json::from_str(&content).expect("an object");
        let subject = Subject { user: &id(name), room, kind };
        self.accounts.set_account_data(&user(name), &subject, &content).await.expect("account data");
    }

    /// A client of a user that has not synced yet.
    pub fn client(&self, name: &str) -> Client<'_> {
        Client { bed: self, actor: user(name), since: None, filter: None }
    }
}

/// A client that syncs, each time from where it came to.
#[derive(Clone)]
pub struct Client<'b> {
    pub bed: &'b Bed,
    pub actor: Actor,
    pub since: Option<String>,
    pub filter: Option<String>,
}

impl Client<'_> {
    /// What is new now. The user is not shown as present.
    pub async fn sync(&mut self) -> Value {
        self.wait(Duration::ZERO).await
    }

    /// What is new now or within this time. The user is not shown as present.
    pub async fn wait(&mut self, timeout: Duration) -> Value {
        let set_presence = PresenceState::Offline;
        self.sync_with(SyncRequest { timeout, set_presence, ..SyncRequest::default() }).await
    }

    pub async fn sync_with(&mut self, request: SyncRequest) -> Value {
        let answer = self.try_sync(request).await.expect("an answer");
        self.since = Some(answer["next_batch"].as_str().expect("a token").to_owned());
        answer
    }

    pub async fn try_sync(&self, request: SyncRequest) -> Result<Value, SyncError> {
        let mut answer: Value = serde_json::from_str(&self.text(request).await?).expect("JSON");
        leave_out_push_rules(&mut answer);
        leave_out_no_keys(&mut answer);
        Ok(answer)
    }

    /// The answer as it is written.
    pub async fn text(&self, request: SyncRequest) -> Result<String, SyncError> {
        let request = SyncRequest { since: self.since.clone(), filter: self.filter.clone(), ..request };
        Ok(text(self.bed.sync.sync(&self.actor, &request).await?).await)
    }
}

/// Every first answer has them; a test of their own looks at them.
fn leave_out_push_rules(answer: &mut Value) {
    let Some(events) = answer.pointer_mut("/account_data/events").and_then(Value::as_array_mut) else {
        return;
    };
    events.retain(|event| event["type"] != "m.push_rules");
    if events.is_empty() {
        answer.as_object_mut().expect("an object").remove("account_data");
    }
}

/// Every answer has them, also of a device without keys; tests of their own look at them.
fn leave_out_no_keys(answer: &mut Value) {
    let answer = answer.as_object_mut().expect("an object");
    let none = [
        ("device_one_time_keys_count", serde_json::json!({ "signed_curve25519": 0 })),
        ("device_unused_fallback_key_types", serde_json::json!([])),
    ];
    for (key, none) in none {
        if answer.get(key) == Some(&none) {
            answer.remove(key);
        }
    }
}

/// The parts of an answer that are there.
pub fn keys(value: &Value) -> Vec<&str> {
    value.as_object().into_iter().flat_map(|object| object.keys()).map(String::as_str).collect()
}

/// The ids of events.
pub fn ids(events: &Value) -> Vec<&str> {
    let events = events.as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().map(|event| event["event_id"].as_str().expect("an id")).collect()
}

/// The bodies of messages, and the types of other events.
pub fn told(events: &Value) -> Vec<String> {
    let events = events.as_array().map(Vec::as_slice).unwrap_or_default();
    let word = |event: &Value| {
        let text = event["content"]["body"].as_str().or_else(|| event["type"].as_str());
        text.expect("a type").to_owned()
    };
    events.iter().map(word).collect()
}
