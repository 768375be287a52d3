//! Reads back what devices were promised.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Checker, REPEATED};
use crate::client::{KeyObjects, parse, segment};
use crate::crash::facts::Record;
use crate::crash::workload::{BACKUP_ROOM, BACKUP_SESSION, KIND};
use crate::http::Failure;

/// Pages of messages that a device reads at most: more would never end.
const MOST_PAGES: usize = 10_000;

impl Checker<'_> {
    /// Sends again what got no answer, and some of what was acknowledged: none of it may come twice.
    pub(super) async fn repeat_to_devices(&mut self, records: &[Record]) {
        let mut count = 0;
        for record in records {
            let Record::ToDevice { to, device, sender, marker, acknowledged } = record else { continue };
            count += usize::from(*acknowledged);
            if *acknowledged && !count.is_multiple_of(REPEATED) {
                continue;
            }
            let Some(session) = self.session(sender) else { continue };
            let content = json!({ "marker": marker });
            match session.send_to_device(KIND, marker, (to, device), &content).await {
                Ok(()) => {
                    let mut record = record.clone();
                    if let Record::ToDevice { acknowledged, .. } = &mut record {
                        *acknowledged = true;
                    }
                    self.facts.apply(&record);
                    self.resolved.push(record);
                }
                Err(error) => self.violations.push(format!("{marker} cannot be sent again: {error}")),
            }
        }
    }

    /// Checks the one-time keys of these users, and lets these read their messages.
    pub(super) async fn devices(&mut self, keys: &BTreeSet<String>, inboxes: &BTreeSet<String>) {
        for user in keys {
            let Some(session) = self.session(user) else { continue };
            match session.upload_keys(None, &KeyObjects::new()).await {
                Ok(count) => self.violations.extend(self.facts.devices.judge_keys(user, count)),
                // A server without keys has none to lose.
                Err(Failure::Refused { errcode, .. }) if errcode == "M_UNRECOGNIZED" => {}
                Err(error) => self.violations.push(format!("keys of {user}: {error}")),
            }
        }
        for user in inboxes {
            match self.read_inbox(user).await {
                Ok((came, token)) => {
                    self.violations.extend(self.facts.devices.judge_inbox(user, &came, token));
                }
                Err(error) => self.violations.push(format!("messages to {user}: {error}")),
            }
        }
    }

    /// All messages that wait for a user's device, by their markers, and the token behind them.
    async fn read_inbox(&mut self, user: &str) -> Result<(Vec<String>, String), Failure> {
        let mut token = self.facts.devices.token(user);
        let session = self.session(user).ok_or_else(|| Failure::Unexpected("no such user".to_owned()))?;
        let filter = r#"{"presence":{"types":[]},"account_data":{"types":[]},"room":{"rooms":[]}}"#;
        let mut came = Vec::new();
        for _ in 0..MOST_PAGES {
            let since = token.as_deref().map(|token| format!("&since={}", segment(token)));
            let path = format!("/sync?timeout=0&filter={}{}", segment(filter), since.unwrap_or_default());
            let answer: Value = parse(&session.get(&path).await?)?;
            let next = answer["next_batch"].as_str().unwrap_or_default().to_owned();
            let events = answer["to_device"]["events"].as_array();
            let markers = events.into_iter().flatten().filter(|event| event["type"] == KIND);
            let before = came.len();
            came.extend(markers.filter_map(|event| event["content"]["marker"].as_str()).map(str::to_owned));
            let first = token.replace(next.clone()).is_none();
            if came.len() == before && !first {
                return Ok((came, next));
            }
        }
        Err(Failure::Unexpected("messages without end".to_owned()))
    }

    /// What a user's backup holds: the value of its last key.
    pub(super) async fn backup(&mut self, user: &str) -> Result<Option<String>, Failure> {
        let session = self.session(user).ok_or_else(|| Failure::Unexpected("no such user".to_owned()))?;
        let Some(version) = session.current_backup().await? else { return Ok(None) };
        let sessions = session.backed_up(&version, BACKUP_ROOM).await?;
        let text = sessions.get(BACKUP_SESSION).and_then(|key| key["session_data"]["ciphertext"].as_str());
        Ok(text.map(|text| text.trim_end_matches('A').to_owned()))
    }
}
