//! The specification's rules of history visibility, by the letter, over a room's events one after the other: no state trees, no graph order.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_rooms::RoomEvent;
use ruma::UserId;
use serde_json::Value;

/// A user and a visibility before and after each event of a linear room.
pub struct Model {
    steps: Vec<Step>,
}

struct Step {
    visibility: [String; 2],
    members: [BTreeMap<String, String>; 2],
    changes_visibility: bool,
    changes_member: Option<String>,
}

impl Model {
    pub fn of(events: &[Arc<RoomEvent>]) -> Self {
        let mut visibility = "shared".to_owned();
        let mut members = BTreeMap::new();
        let mut steps = Vec::new();
        for event in events {
            let content: Value = serde_json::from_str(event.pdu.content_text()).expect("JSON");
            let before = (visibility.clone(), members.clone());
            let mut changes_member = None;
            let changes_visibility = event.pdu.type_name() == "m.room.history_visibility";
            if changes_visibility {
                visibility = content["history_visibility"].as_str().unwrap_or("shared").to_owned();
            }
            if event.pdu.type_name() == "m.room.member" {
                let user = event.pdu.state_key().expect("a user").to_owned();
                members.insert(user.clone(), content["membership"].as_str().expect("a word").to_owned());
                changes_member = Some(user);
            }
            steps.push(Step {
                visibility: [before.0, visibility.clone()],
                members: [before.1, members.clone()],
                changes_visibility,
                changes_member,
            });
        }
        Self { steps }
    }

    fn membership(&self, user: &UserId, step: usize, side: usize) -> &str {
        self.steps[step].members[side].get(user.as_str()).map_or("leave", String::as_str)
    }

    fn last(&self) -> usize {
        self.steps.len() - 1
    }

    pub fn is_world_readable(&self) -> bool {
        self.steps[self.last()].visibility[1] == "world_readable"
    }

    pub fn is_joined(&self, user: &UserId) -> bool {
        self.membership(user, self.last(), 1) == "join"
    }

    /// The last event with which a user who is not in the room went.
    pub fn departure(&self, user: &UserId) -> Option<usize> {
        let went = |step: &usize| {
            self.membership(user, *step, 0) == "join" && self.membership(user, *step, 1) != "join"
        };
        (0..self.steps.len()).rfind(went).filter(|_| !self.is_joined(user))
    }

    pub fn is_admitted(&self, user: &UserId) -> bool {
        self.is_joined(user) || self.departure(user).is_some() || self.is_world_readable()
    }

    pub fn sees(&self, user: &UserId, step: usize) -> bool {
        let joined_later =
            (step + 1..self.steps.len()).any(|later| self.membership(user, later, 1) == "join");
        let event = &self.steps[step];
        let own = event.changes_member.as_deref() == Some(user.as_str());
        let allowed = |visibility: &str, membership: &str| {
            visibility == "world_readable"
                || membership == "join"
                || visibility == "shared" && joined_later
                || membership == "invite" && visibility == "invited"
        };
        let visibilities = if event.changes_visibility { 0..2 } else { 0..1 };
        visibilities.clone().any(|side| allowed(&event.visibility[side], self.membership(user, step, 0)))
            || own && visibilities.clone().any(|side| allowed(&event.visibility[side], self.membership(user, step, 1)))
            // Our addition: one learns that an invite is over.
            || own && self.membership(user, step, 0) == "invite"
    }

    /// What pages of history show of that.
    pub fn pages(&self, user: &UserId) -> Vec<usize> {
        let end = match self.departure(user) {
            Some(departure) if !self.is_world_readable() => departure,
            _ => self.last(),
        };
        (0..=end).filter(|step| self.sees(user, *step)).collect()
    }

    /// The members that a user is shown.
    pub fn members(&self, user: &UserId) -> &BTreeMap<String, String> {
        let step = self.departure(user).unwrap_or(self.last());
        &self.steps[step].members[1]
    }
}
