//! What devices were promised: each one-time key goes to one claim at most and none is lost; each message comes once, and those of one sender in order.
//!
//! Pure: no I/O.

use std::collections::{BTreeMap, BTreeSet};

/// What the server owes the devices.
#[derive(Debug, Default)]
pub struct DeviceFacts {
    keys: BTreeMap<String, OneTimeKeys>,
    inboxes: BTreeMap<String, Inbox>,
}

/// One-time keys of a user's device.
#[derive(Debug, Default)]
struct OneTimeKeys {
    /// How many may be left, at least and at most; `None` where that is not known.
    left: Option<(i64, i64)>,
    /// Ids that were uploaded, as far as is known or in doubt.
    uploaded: BTreeSet<String>,
    handed_out: BTreeSet<String>,
    /// What has been broken so far.
    broken: Vec<String>,
}

/// Messages for a user's device that it has not read.
#[derive(Debug, Default)]
struct Inbox {
    /// Where its `/sync` stands.
    token: Option<String>,
    waiting: Vec<Message>,
    /// The driver has lost track: what comes next is taken as it is.
    is_unknown: bool,
}

#[derive(Debug)]
struct Message {
    sender: String,
    marker: String,
    acknowledged: bool,
}

impl OneTimeKeys {
    fn shift(&mut self, least: i64, most: i64) {
        if let Some(left) = &mut self.left {
            *left = (left.0 + least, left.1 + most);
        }
    }
}

impl DeviceFacts {
    fn keys_of(&mut self, user: &str) -> &mut OneTimeKeys {
        let none = || OneTimeKeys { left: Some((0, 0)), ..OneTimeKeys::default() };
        self.keys.entry(user.to_owned()).or_insert_with(none)
    }

    pub fn uploaded(&mut self, user: &str, ids: &[String], acknowledged: bool) {
        let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
        let keys = self.keys_of(user);
        keys.uploaded.extend(ids.iter().cloned());
        keys.shift(if acknowledged { count } else { 0 }, count);
    }

    /// A claim ended: with a key, with none, or without an answer.
    pub fn claimed(&mut self, user: &str, key: Option<&str>, acknowledged: bool) {
        let keys = self.keys_of(user);
        match key {
            Some(key) => {
                if !keys.handed_out.insert(key.to_owned()) {
                    keys.broken.push(format!("the key {key} of {user} was handed out twice"));
                }
                keys.shift(-1, -1);
            }
            None if !acknowledged => keys.shift(-1, 0),
            None => {}
        }
    }

    /// Judges how many keys the server says it has for a user's device. What it says is settled.
    pub fn judge_keys(&mut self, user: &str, count: u64) -> Vec<String> {
        let keys = self.keys_of(user);
        let mut broken = std::mem::take(&mut keys.broken);
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        if let Some((least, most)) = keys.left
            && !(least..=most).contains(&count)
        {
            broken.push(format!("{count} keys of {user} are left and not {least} to {most}"));
        }
        if keys.left.is_some() {
            let unknown = keys.handed_out.difference(&keys.uploaded).cloned();
            broken.extend(unknown.map(|key| format!("the key {key} of {user} was never uploaded")));
        }
        keys.left = Some((count, count));
        broken
    }

    pub fn sent(&mut self, to: &str, sender: &str, marker: &str, acknowledged: bool) {
        let inbox = self.inboxes.entry(to.to_owned()).or_default();
        match inbox.waiting.iter_mut().find(|message| message.marker == marker) {
            // Sent again, and answered this time.
            Some(message) => message.acknowledged |= acknowledged,
            None => inbox.waiting.push(Message {
                sender: sender.to_owned(),
                marker: marker.to_owned(),
                acknowledged,
            }),
        }
    }

    /// Where the `/sync` of a user's device goes on.
    pub fn token(&self, user: &str) -> Option<String> {
        self.inboxes.get(user)?.token.clone()
    }

    /// Who has or may have messages.
    pub fn recipients(&self) -> Vec<String> {
        self.inboxes.keys().cloned().collect()
    }

    /// A device has read all that was there, up to a token: markers in the order in which they came.
    pub fn judge_inbox(&mut self, user: &str, came: &[String], token: String) -> Vec<String> {
        let inbox = self.inboxes.entry(user.to_owned()).or_default();
        let waiting = std::mem::take(&mut inbox.waiting);
        inbox.token = Some(token);
        if std::mem::take(&mut inbox.is_unknown) {
            return Vec::new();
        }
        let mut broken = Vec::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, marker) in came.iter().enumerate() {
            if places.insert(marker, place).is_some() {
                broken.push(format!("the message {marker} came twice to {user}"));
            }
        }
        let known: BTreeSet<&str> = waiting.iter().map(|message| message.marker.as_str()).collect();
        let unknown = places.keys().filter(|marker| !known.contains(**marker));
        broken.extend(unknown.map(|marker| format!("the message {marker} to {user} was never sent")));
        let mut last: BTreeMap<&str, usize> = BTreeMap::new();
        for Message { sender, marker, acknowledged } in &waiting {
            match places.get(marker.as_str()) {
                None if *acknowledged => broken.push(format!("the message {marker} to {user} is lost")),
                None => {}
                Some(place) if last.insert(sender, *place).is_some_and(|before| before > *place) => {
                    broken.push(format!("the message {marker} came to {user} before an earlier one"));
                }
                Some(_) => {}
            }
        }
        broken
    }

    /// The driver itself ended in the middle of a cycle.
    pub fn forget(&mut self) {
        self.keys.values_mut().for_each(|keys| keys.left = None);
        self.inboxes.values_mut().for_each(|inbox| inbox.is_unknown = true);
    }

    /// What was read before the driver was started is not known.
    pub fn resume(&mut self) {
        self.inboxes.values_mut().for_each(|inbox| inbox.is_unknown = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn a_key_goes_to_one_claim_and_none_is_lost() {
        let mut facts = DeviceFacts::default();
        facts.uploaded("@a", &ids(&["1", "2", "3"]), true);
        facts.claimed("@a", Some("1"), true);
        assert!(facts.judge_keys("@a", 2).is_empty());
        assert_eq!(facts.judge_keys("@a", 1).len(), 1, "one is lost");
        facts.claimed("@a", Some("1"), true);
        assert_eq!(facts.judge_keys("@a", 0).len(), 1, "one was handed out twice");
        facts.claimed("@a", Some("9"), true);
        assert_eq!(facts.judge_keys("@a", 0).len(), 2, "one that was never there, and one less than none");
    }

    #[test]
    fn what_got_no_answer_may_have_happened() {
        for count in 1..=5 {
            let mut facts = DeviceFacts::default();
            facts.uploaded("@a", &ids(&["1", "2"]), true);
            facts.uploaded("@a", &ids(&["3", "4"]), false);
            facts.claimed("@a", None, false);
            assert_eq!(facts.judge_keys("@a", count).is_empty(), count < 5, "{count}");
            assert_eq!(facts.judge_keys("@a", count + 1).len(), 1, "it is settled");
        }
    }

    #[test]
    fn messages_come_once_and_in_the_order_of_their_sender() {
        let judged = |came: &[&str]| {
            let mut facts = DeviceFacts::default();
            for (sender, marker, acknowledged) in
                [("@b", "b1", true), ("@c", "c1", true), ("@b", "b2", true), ("@c", "c2", false)]
            {
                facts.sent("@a", sender, marker, acknowledged);
            }
            let broken = facts.judge_inbox("@a", &ids(came), "t".to_owned());
            assert_eq!(facts.token("@a").as_deref(), Some("t"));
            broken.len()
        };
        assert_eq!(judged(&["b1", "c1", "b2"]), 0);
        assert_eq!(judged(&["c1", "b1", "b2", "c2"]), 0);
        assert_eq!(judged(&["b2", "c1", "b1"]), 1, "in another order");
        assert_eq!(judged(&["b1", "c1"]), 1, "lost");
        assert_eq!(judged(&["b1", "c1", "b2", "b1"]), 1 + 1, "twice, and so out of order");
        assert_eq!(judged(&["b1", "c1", "b2", "x"]), 1, "from nowhere");
    }
}
