//! Who may do what in a room: its create event and its power levels, read once.
//!
//! Owns the power of users, creators included, and the level that each action needs. The room's view holds one
//! of these and makes a new one when either event changes; nothing here is looked up again for each event.

use std::collections::BTreeSet;

use ruma::{EventId, OwnedEventId, OwnedServerName, ServerName, UserId};

use crate::json::Value;
use crate::pdu::Pdu;
use crate::version::Rules;

use super::error::AuthError;
use super::power_levels::{LevelField, Power, PowerLevels};

/// The creator's level in a room without power levels, before version 12
/// (client-server API, `m.room.power_levels`).
const CREATOR_LEVEL_WITHOUT_EVENT: i64 = 100;

/// What the create event and the power levels of a room say, in the room's version.
#[derive(Debug, Clone)]
pub struct Authority {
    create_id: OwnedEventId,
    server: OwnedServerName,
    federates: bool,
    /// The user whose join may follow the create event directly.
    creator: Option<String>,
    /// Those with infinite power; empty before version 12.
    privileged: BTreeSet<String>,
    /// `None` for a room without power levels.
    levels: Option<PowerLevels>,
}

impl Authority {
    /// Reads `create` and `power_levels`, which must be events of the room's state.
    ///
    /// Fails for power levels that the rules would not have let in.
    pub fn new(create: &Pdu, power_levels: Option<&Pdu>, rules: &Rules) -> Result<Self, AuthError> {
        let content = create.content_object();
        let levels = power_levels
            .map(|event| PowerLevels::parse(event.content_object(), rules))
            .transpose()
            .map_err(AuthError::MalformedPowerLevelsInState)?;
        let sender = create.sender();
        let creator = if rules.spec.authorization.use_room_create_sender {
            Some(sender.as_str())
        } else {
            content.get("creator").and_then(Value::as_str)
        };
        let mut privileged = BTreeSet::new();
        if rules.spec.authorization.explicitly_privilege_room_creators {
            privileged.insert(sender.to_string());
            if let Some(Value::Array(users)) = content.get("additional_creators") {
                privileged.extend(users.iter().filter_map(Value::as_str).map(str::to_owned));
            }
        }
        Ok(Self {
            create_id: create.event_id().to_owned(),
            server: sender.server_name().to_owned(),
            federates: content.get("m.federate") != Some(&Value::Bool(false)),
            creator: creator.map(str::to_owned),
            privileged,
            levels,
        })
    }

    /// The create event's id.
    pub fn create_id(&self) -> &EventId {
        &self.create_id
    }

    /// Whether users of `server` may take part: not those of others when `m.federate` is `false`.
    pub fn admits(&self, server: &ServerName) -> bool {
        self.federates || server == self.server
    }

    /// The one creator whose first join needs no invitation: the create event's `creator`, from version 11 on its
    /// sender.
    pub fn creator(&self) -> Option<&str> {
        self.creator.as_deref()
    }

    /// Whether `user` has infinite power as a creator of the room (version 12).
    pub fn is_privileged(&self, user: &str) -> bool {
        self.privileged.contains(user)
    }

    /// The users with infinite power, in the order of their ids. Empty before version 12.
    pub fn privileged(&self) -> impl Iterator<Item = &str> {
        self.privileged.iter().map(String::as_str)
    }

    /// The power levels event's content; `None` for a room without that event.
    pub fn levels(&self) -> Option<&PowerLevels> {
        self.levels.as_ref()
    }

    /// The power of `user`, by the power levels, the creators or the defaults.
    pub fn power(&self, user: &str) -> Power {
        if self.is_privileged(user) {
            return Power::Infinite;
        }
        Power::Level(match &self.levels {
            Some(levels) => levels.user(user),
            None if self.creator() == Some(user) => CREATOR_LEVEL_WITHOUT_EVENT,
            None => LevelField::UsersDefault.default_level(),
        })
    }

    /// The level needed to invite, kick, ban or redact, or one of the three defaults.
    pub fn level(&self, field: LevelField) -> i64 {
        match &self.levels {
            Some(levels) => levels.field(field),
            None => field.default_level(),
        }
    }

    /// The level needed to send an event of type `kind`, which for members and, in versions 1 and 2, redactions
    /// is not all that the rules ask.
    pub fn level_to_send(&self, kind: &str, is_state: bool) -> i64 {
        match &self.levels {
            Some(levels) => levels.event(kind, is_state),
            None => PowerLevels::default().event(kind, is_state),
        }
    }

    /// The level needed to trigger the notification `key` (`room` for `@room`).
    pub fn level_to_notify(&self, key: &str) -> i64 {
        match &self.levels {
            Some(levels) => levels.notification(key),
            None => PowerLevels::default().notification(key),
        }
    }

    /// Whether `user` has the power that `field` asks for.
    pub fn may(&self, user: &str, field: LevelField) -> bool {
        self.power(user).reaches(self.level(field))
    }

    /// Whether `user` has the power to send events of type `kind`.
    pub fn may_send(&self, user: &str, kind: &str, is_state: bool) -> bool {
        self.power(user).reaches(self.level_to_send(kind, is_state))
    }

    /// Whether `redaction` takes effect on `target`, given that both are accepted and this is the room's authority
    /// where the redaction stands.
    ///
    /// In versions 1 and 2 the authorisation rules have decided already. Later ones ask here for the redact level
    /// or a sender of the target's server ("Handling redactions", version 3). The create event is never redacted:
    /// before version 11 it would lose the room's version and whether it federates.
    pub fn may_redact(&self, redaction: &Pdu, target: &Pdu, rules: &Rules) -> bool {
        if redaction.room_id() != target.room_id() || target.type_name() == "m.room.create" {
            return false;
        }
        rules.spec.authorization.special_case_room_redaction
            || self.may(redaction.sender().as_str(), LevelField::Redact)
            || same_server(redaction.sender(), target.sender())
    }
}

fn same_server(a: &UserId, b: &UserId) -> bool {
    a.server_name() == b.server_name()
}
