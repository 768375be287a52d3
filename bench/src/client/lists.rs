//! What a client asks to find its way: lists of rooms (simplified sliding sync), search, profiles.

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Session, V3, parse, segment, to_bytes};
use crate::http::Failure;

impl Session {
    /// The first answer of sliding sync on a connection of its own, with the first `count` rooms as Element X asks for them. Gives how many rooms are in
    /// the list and how many came.
    pub async fn first_rooms(&mut self, connection: &str, count: usize) -> Result<(usize, usize), Failure> {
        #[derive(Deserialize)]
        struct List {
            count: usize,
        }
        #[derive(Deserialize)]
        struct Answer {
            lists: std::collections::BTreeMap<String, List>,
            rooms: std::collections::BTreeMap<String, serde::de::IgnoredAny>,
        }
        let body = json!({
            "conn_id": connection,
            "lists": { "all_rooms": {
                "ranges": [[0, count.saturating_sub(1)]],
                "timeline_limit": 1,
                "required_state": [
                    ["m.room.name", ""], ["m.room.encryption", ""], ["m.room.avatar", ""], ["m.room.topic", ""],
                    ["m.room.canonical_alias", ""], ["m.room.power_levels", ""], ["m.room.create", ""],
                    ["m.room.member", "$LAZY"], ["m.room.member", "$ME"],
                ],
            } },
        });
        let path = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?timeout=0";
        let answer: Answer = parse(&self.call(Method::POST, path, to_bytes(&body)).await?)?;
        Ok((answer.lists.get("all_rooms").map_or(0, |list| list.count), answer.rooms.len()))
    }

    /// Searches messages. Gives how many were found in all.
    pub async fn search(&mut self, words: &str) -> Result<u64, Failure> {
        let body = json!({ "search_categories": { "room_events": {
            "search_term": words,
            "keys": ["content.body"],
            "order_by": "recent",
            "filter": { "limit": 10 },
            "event_context": { "before_limit": 1, "after_limit": 1 },
        } } });
        let answer: Value = parse(&self.post("/search", &body).await?)?;
        Ok(answer["search_categories"]["room_events"]["count"].as_u64().unwrap_or_default())
    }

    pub async fn set_displayname(&mut self, name: &str) -> Result<(), Failure> {
        let path = format!("{V3}/profile/{}/displayname", segment(&self.account.user_id));
        self.call(Method::PUT, &path, to_bytes(&json!({ "displayname": name }))).await.map(drop)
    }
}
