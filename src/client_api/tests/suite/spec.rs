//! Every answer of these tests against the OpenAPI data of the specification.
//!
//! Owns: what is checked of an answer. Does not own: the data ([`documents`]), which operation a request is ([`operations`]), what a schema
//! says ([`schema`]), what deviates on purpose ([`exceptions`]).
//!
//! The data is `spec/client_server_api.json`: what the specification v1.19 (Apache License 2.0, The Matrix.org Foundation C.I.C.) says of
//! responses and of the contents of events, without its prose, one line for each of its files. `spec/extract.py` makes it from the specification's `data` folder.

mod documents;
mod exceptions;
mod operations;
mod schema;

use std::sync::LazyLock;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use documents::Documents;
use exceptions::{is_excepted, is_excepted_content};
use operations::{Operation, Operations};
use schema::{Deviation, Schema};

/// What every error looks like, whether its status is documented or not.
const ERROR: &str = "api/client-server/definitions/errors/error.yaml";
/// Where the schemas of events stand: those of answers say of contents only that they are objects.
const EVENTS: &str = "event-schemas/schema";

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    let documents = Documents::read(include_str!("spec/client_server_api.json"));
    let operations = Operations::of(&documents);
    Spec { documents, operations }
});

struct Spec {
    documents: Documents,
    operations: Operations,
}

/// Fails the test if the answer is not what the specification says.
pub fn check(method: &Method, uri: &str, status: StatusCode, body: &Value) {
    let deviations = SPEC.deviations(method, uri, status, body);
    assert!(
        deviations.is_empty(),
        "{method} {uri}: {status} deviates from the specification:\n{}\n{body}",
        deviations.join("\n")
    );
}

impl Spec {
    fn deviations(&self, method: &Method, uri: &str, status: StatusCode, body: &Value) -> Vec<String> {
        let Some(operation) = self.operations.find(method, uri) else { return Vec::new() };
        let mut found = Vec::new();
        let status = status.as_u16();
        // The data knows the challenge of interactive authentication only; a token that opens nothing comes before it.
        let is_of_token = status == 401 && body.get("errcode").is_some() && body.get("flows").is_none();
        match operation.schema(&self.documents, status) {
            Some(_) if is_of_token => self.compare(operation, status, ERROR, "", body, &mut found),
            Some(schema) => self.compare(operation, status, &schema, "", body, &mut found),
            None if operation.documents(status) => {}
            // The other way round: the prose asks for interactive authentication, the data forgot to.
            None if status == 401 && body.get("flows").is_some() => {}
            None if status < 400 => found.push(format!("the status {status} is not documented")),
            None => self.compare(operation, status, ERROR, "", body, &mut found),
        }
        if status < 400 {
            self.compare_contents("", body, &mut found);
        }
        found
    }

    /// Adds what a value is not that the schema wants it to be.
    fn compare(
        &self,
        operation: &Operation,
        status: u16,
        schema: &str,
        at: &str,
        value: &Value,
        found: &mut Vec<String>,
    ) {
        let mut deviations = Vec::new();
        Schema::at(&self.documents, schema).compare(value, at, &mut deviations);
        deviations.retain(|deviation| !is_excepted(operation, status, deviation));
        found.extend(
            deviations.into_iter().map(|deviation| format!("{}: {}", deviation.place, deviation.what)),
        );
    }

    /// The same for the contents of events, wherever these stand.
    fn compare_contents(&self, at: &str, value: &Value, found: &mut Vec<String>) {
        let Value::Object(object) = value else {
            for (number, entry) in value.as_array().into_iter().flatten().enumerate() {
                self.compare_contents(&format!("{at}/{number}"), entry, found);
            }
            return;
        };
        let kind = object.get("type").and_then(Value::as_str);
        if let (Some(kind), Some(content)) = (kind, object.get("content"))
            && !is_redacted(value)
            && let Some(schema) = self.content_schema(kind, content)
        {
            let mut deviations = Vec::new();
            Schema::at(&self.documents, &schema).compare(content, "", &mut deviations);
            deviations.retain(|deviation| !is_excepted_content(kind, deviation));
            let told = |deviation: Deviation| format!("{at}/content{}: {}", deviation.place, deviation.what);
            found.extend(deviations.into_iter().map(told));
        }
        for (name, entry) in object {
            self.compare_contents(&format!("{at}/{name}"), entry, found);
        }
    }

    /// Where the schema of a content stands, if its type is one of the specification's: some types have one for each kind of message, or each method.
    fn content_schema(&self, kind: &str, content: &Value) -> Option<String> {
        let variants = ["msgtype", "method"].map(|name| content.get(name)?.as_str());
        let variants =
            variants.into_iter().flatten().map(|variant| format!("{EVENTS}/{kind}${variant}.yaml"));
        let mut names = variants.chain([format!("{EVENTS}/{kind}.yaml")]);
        let name = names.find(|name| {
            let document = self.documents.get(name);
            document.is_some_and(|(_, document)| document.pointer("/properties/content").is_some())
        })?;
        Some(format!("{name}#/properties/content"))
    }
}

/// What is redacted has lost the content that the specification wants of it. Where it is shown so because its sender is ignored or was erased, there is no redaction
/// to tell of.
fn is_redacted(event: &Value) -> bool {
    let is_empty = event["content"].as_object().is_some_and(serde_json::Map::is_empty);
    event.pointer("/unsigned/redacted_because").is_some() || (is_empty && event.get("event_id").is_some())
}

/// The check itself.
#[test]
fn what_is_not_as_specified_is_found() {
    let whoami = |status: u16, body: Value| {
        let status = StatusCode::from_u16(status).expect("a status");
        SPEC.deviations(&Method::GET, "/_matrix/client/v3/account/whoami", status, &body).len()
    };
    assert_eq!(whoami(200, json!({ "user_id": "@a:b.c", "is_guest": false })), 0);
    assert_eq!(whoami(200, json!({ "user_id": 1 })), 1);
    assert_eq!(whoami(200, json!({})), 1);
    assert_eq!(whoami(201, json!({ "user_id": "@a:b.c" })), 1);
    assert_eq!(whoami(418, json!({ "errcode": "M_UNKNOWN" })), 0);
    assert_eq!(whoami(418, json!({})), 1);
    // References into other files, and from there into others; contents.
    let typing = |users: Value| json!({ "type": "m.typing", "content": { "user_ids": users } });
    for (users, deviations) in [(json!(["@a:b.c"]), 0), (json!("@a:b.c"), 1)] {
        let rooms = json!({ "!r:b.c": { "ephemeral": { "events": [typing(users)] } } });
        let answer = json!({ "next_batch": "s", "rooms": { "join": rooms } });
        let uri = "/_matrix/client/v3/sync?since=s";
        assert_eq!(SPEC.deviations(&Method::GET, uri, StatusCode::OK, &answer).len(), deviations);
    }
    let found = |kind: &str, content: Value| {
        let event = json!({ "type": kind, "content": content });
        let mut found = Vec::new();
        SPEC.compare_contents("", &json!([{ "event": event }]), &mut found);
        found.len()
    };
    assert_eq!(found("m.room.member", json!({ "membership": "join" })), 0);
    assert_eq!(found("m.room.member", json!({ "membership": "dance" })), 1);
    assert_eq!(found("m.room.message", json!({ "msgtype": "m.image", "url": 1 })), 2);
    assert_eq!(found("m.unknown", json!({ "membership": 1 })), 0);
    let event = json!({ "type": "t", "content": {}, "event_id": "$e", "sender": "@a:b.c" });
    let uri = "/_matrix/client/v3/rooms/!r:b.c/event/$e";
    let found = SPEC.deviations(&Method::GET, uri, StatusCode::OK, &event);
    assert_eq!(found.len(), 2, "without room and time: {found:?}");
}
