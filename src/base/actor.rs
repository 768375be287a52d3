//! Who acts: the one parameter of every domain call that decides what is allowed.
//!
//! Owns: the kinds of actor. Does not own: how a request proves to be one (the entrances do that).
//!
//! Invariants: authorisation matches on [`Actor`] exhaustively, without a catch-all arm, so that a new kind is a
//! compile error at every place that must decide about it.

use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};

/// Who is asking for an operation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// A user who logged in, with the device that the access token belongs to.
    User { user: OwnedUserId, device: OwnedDeviceId },
    /// An application service acting as one of the users of its namespaces (client-server API, "Identity
    /// assertion"); with a device when the request named one.
    AppService { registration: String, user: OwnedUserId, device: Option<OwnedDeviceId> },
    /// A guest account (client-server API, "Guest access"): the few operations that the section lists.
    Guest { user: OwnedUserId, device: OwnedDeviceId },
    /// An administrator acting as a user through the admin API.
    AdminAs { admin: OwnedUserId, user: OwnedUserId },
    /// A user whose messages are answered as if they had been sent and reach nobody.
    ShadowBanned { user: OwnedUserId, device: OwnedDeviceId },
    /// This server itself: notices, repairs, expiry.
    Server,
    /// This server in the name of one of its users: what follows from something that the user has done, such as the new name in each room.
    ServerAs { user: OwnedUserId },
}

impl Actor {
    /// The user in whose name the operation happens; `None` for the server itself.
    pub fn user_id(&self) -> Option<&UserId> {
        match self {
            Self::User { user, .. }
            | Self::AppService { user, .. }
            | Self::Guest { user, .. }
            | Self::AdminAs { user, .. }
            | Self::ShadowBanned { user, .. }
            | Self::ServerAs { user } => Some(user),
            Self::Server => None,
        }
    }

    /// The device that asks; transaction ids and to-device messages belong to it.
    pub fn device_id(&self) -> Option<&DeviceId> {
        match self {
            Self::User { device, .. } | Self::Guest { device, .. } | Self::ShadowBanned { device, .. } => {
                Some(device)
            }
            Self::AppService { device, .. } => device.as_deref(),
            Self::AdminAs { .. } | Self::Server | Self::ServerAs { .. } => None,
        }
    }

    /// Whether it is a guest.
    pub fn is_guest(&self) -> bool {
        match self {
            Self::Guest { .. } => true,
            Self::User { .. }
            | Self::AppService { .. }
            | Self::AdminAs { .. }
            | Self::ShadowBanned { .. }
            | Self::Server
            | Self::ServerAs { .. } => false,
        }
    }

    /// Whether what the actor does reaches other users.
    pub fn reaches_others(&self) -> bool {
        match self {
            Self::User { .. }
            | Self::AppService { .. }
            | Self::Guest { .. }
            | Self::AdminAs { .. }
            | Self::Server
            | Self::ServerAs { .. } => true,
            Self::ShadowBanned { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use ruma::{device_id, owned_device_id, owned_user_id, user_id};

    use super::*;

    #[test]
    fn an_admin_acts_in_the_name_of_the_user_and_on_no_device() {
        let actor = Actor::AdminAs { admin: owned_user_id!("@root:a"), user: owned_user_id!("@alice:a") };
        assert_eq!(actor.user_id(), Some(user_id!("@alice:a")));
        assert_eq!(actor.device_id(), None);
    }

    #[test]
    fn the_server_is_no_user() {
        assert_eq!(Actor::Server.user_id(), None);
        assert_eq!(Actor::Server.device_id(), None);
    }

    #[test]
    fn a_user_is_known_with_the_device() {
        let actor = Actor::User { user: owned_user_id!("@alice:a"), device: owned_device_id!("PHONE") };
        assert_eq!(actor.user_id(), Some(user_id!("@alice:a")));
        assert_eq!(actor.device_id(), Some(device_id!("PHONE")));
    }
}
