//! Server notices: what administrators tell users in the server's name (client-server API, "Server Notices").
//!
//! Owns: the room in which a user gets them, and that clients know it as such. Does not own: the account of the server's user
//! ([`plop_accounts::server_user`]), that its invitations cannot be rejected ([`plop_rooms::RoomParameters::notices_user`]), that a repeated request sends
//! nothing twice (rooms do, in a scope of the administrator), how clients show a notice.
//!
//! Invariants: a user has one room of notices at a time, which stays theirs as long as the server's user is in it; who has left it is invited again by the
//! next notice, not before. Notices to one user are sent one after the other.

use std::sync::Arc;

use plop_accounts::account_data::AccountDataError;
use plop_accounts::profile::MemberProfile;
use plop_accounts::schema::UserKind;
use plop_accounts::server_user::ServerUserError;
use plop_accounts::tags::TagError;
use plop_accounts::{Accounts, StoreError};
use plop_base::Actor;
use plop_db::{Batch, CommitError, Db, Guards, ReadError};
use plop_rooms::ops::create::{CreateError, CreateRoom, InitialState, Preset};
use plop_rooms::ops::refusal::Refusal;
use plop_rooms::ops::send::SendEvent;
use plop_rooms::schema::Membership;
use plop_rooms::{LoadError, RoomView, Rooms};
use plop_state::json::{Object, Value};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, RoomVersionId, ServerName, UserId};
use serde_json::Map;

use crate::schema::NoticeRooms;

/// How clients know the room.
pub const TAG: &str = "m.server_notice";
/// Below what sending takes: users read.
const LEVEL_OF_USERS: i64 = -10;

/// What an administrator chose about notices.
#[derive(Clone, Debug)]
pub struct NoticeSettings {
    /// The server's user.
    pub user: OwnedUserId,
    pub profile: MemberProfile,
    pub room_name: String,
    pub room_avatar_url: Option<String>,
    pub room_version: RoomVersionId,
}

/// The user of a server in whose name it speaks; `None` for a name that nobody can have.
pub fn server_user(localpart: &str, server: &ServerName) -> Option<OwnedUserId> {
    UserId::parse(format!("@{localpart}:{server}")).ok()
}

/// Something to tell a user.
#[derive(Clone, Debug)]
pub struct Notice {
    pub kind: String,
    pub state_key: Option<String>,
    pub content: Object,
    /// Requests of one administrator with the same id are one.
    pub transaction: Option<String>,
}

/// Why nothing was told.
#[derive(Debug, thiserror::Error)]
pub enum NotNoticed {
    /// No user is configured to send them.
    #[error("there are no server notices here")]
    Off,
    #[error("only administrators send notices")]
    Forbidden,
    #[error("notices are for users of this server")]
    NotLocal,
    #[error("there is no such user")]
    NoAccount,
    #[error(transparent)]
    ServerUser(#[from] ServerUserError),
    #[error(transparent)]
    Room(#[from] CreateError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Tag(#[from] TagError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReadError> for NotNoticed {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl From<CommitError> for NotNoticed {
    fn from(error: CommitError) -> Self {
        Self::Store(error.into())
    }
}

/// The notices. Cheap to clone.
#[derive(Clone)]
pub struct Notices(Option<Arc<Inner>>);

struct Inner {
    db: Db,
    accounts: Accounts,
    rooms: Rooms,
    settings: NoticeSettings,
    /// One for each user who is told something.
    guards: Guards,
}

impl Notices {
    /// Without settings there are none.
    pub fn new(db: Db, accounts: Accounts, rooms: Rooms, settings: Option<NoticeSettings>) -> Self {
        let inner =
            settings.map(|settings| Inner { db, accounts, rooms, settings, guards: Guards::default() });
        Self(inner.map(Arc::new))
    }

    /// Tells something to the user for whom an administrator acts, who is invited to the room of notices where that is needed.
    pub async fn send(&self, actor: &Actor, notice: Notice) -> Result<OwnedEventId, NotNoticed> {
        let inner = self.0.as_ref().ok_or(NotNoticed::Off)?;
        let (admin, user) = administrator(actor)?;
        inner.check_recipient(user).await?;
        let _turn = inner.guards.lock(user.as_str()).await;
        let settings = &inner.settings;
        inner.accounts.ensure_server_user(&settings.user, &settings.profile).await?;
        let sender = Actor::AdminAs { admin: admin.to_owned(), user: settings.user.clone() };
        let room = inner.room(&sender, user).await?;
        let Notice { kind, state_key, content, transaction } = notice;
        let event = SendEvent { kind, state_key, content, transaction, ts: None };
        Ok(inner.rooms.send(&sender, &room, &event).await?)
    }
}

impl Inner {
    async fn check_recipient(&self, user: &UserId) -> Result<(), NotNoticed> {
        if user.server_name() != self.rooms.server() {
            return Err(NotNoticed::NotLocal);
        }
        let account = self.accounts.account(user).await?.filter(|account| account.deactivated.is_none());
        match account.map(|account| account.kind) {
            Some(UserKind::Regular | UserKind::Guest) => Ok(()),
            Some(UserKind::Server) | None => Err(NotNoticed::NoAccount),
        }
    }

    /// The room of a user's notices, tagged as that, with the user in it or invited.
    async fn room(&self, sender: &Actor, user: &UserId) -> Result<OwnedRoomId, NotNoticed> {
        let known = self.db.snapshot().get::<NoticeRooms>(&user.to_owned()).await?;
        let room = match known {
            Some(room) if self.is_ours(&room).await? => room,
            Some(_) | None => self.new_room(sender, user).await?,
        };
        let recipient = Actor::ServerAs { user: user.to_owned() };
        if !self.accounts.tags(&recipient, user, &room).await?.contains_key(TAG) {
            match self.accounts.set_tag(&recipient, user, &room, TAG, &Map::new()).await {
                // Who has no room for one more tag is told all the same.
                Ok(()) | Err(TagError::TooMany | TagError::AccountData(AccountDataError::Full)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let membership = self.view(&room).await?.map(|view| view.members.membership(user));
        if matches!(membership, Some(Membership::Join | Membership::Invite)) {
            return Ok(room);
        }
        match self.rooms.invite(sender, &room, user, &Object::new()).await {
            Ok(_) | Err(Refusal::TargetJoined(_)) => Ok(room),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Whether the server's user can still use a room: another one may be configured by now.
    async fn is_ours(&self, room: &RoomId) -> Result<bool, NotNoticed> {
        Ok(self.view(room).await?.is_some_and(|view| view.members.is_joined(&self.settings.user)))
    }

    async fn view(&self, room: &RoomId) -> Result<Option<Arc<RoomView>>, NotNoticed> {
        match self.rooms.view_by_id(room).await {
            Ok(view) => Ok(Some(view)),
            Err(LoadError::NotHere | LoadError::UnknownVersion(_)) => Ok(None),
            Err(LoadError::Store(fault)) => Err(Refusal::from(fault).into()),
        }
    }

    /// A crash between the room and its row leaves a room with nobody in it but the server.
    async fn new_room(&self, sender: &Actor, user: &UserId) -> Result<OwnedRoomId, NotNoticed> {
        let settings = &self.settings;
        let avatar = settings.room_avatar_url.as_ref().map(|url| InitialState {
            kind: "m.room.avatar".to_owned(),
            state_key: String::new(),
            content: Object::from([("url".to_owned(), url.as_str().into())]),
        });
        let request = CreateRoom {
            version: settings.room_version.clone(),
            preset: Preset::PrivateChat,
            published: false,
            alias: None,
            name: Some(settings.room_name.clone()),
            topic: None,
            invite: Vec::new(),
            is_direct: false,
            creation_content: Object::new(),
            initial_state: avatar.into_iter().collect(),
            power_levels_override: Object::from([("users_default".to_owned(), Value::Int(LEVEL_OF_USERS))]),
        };
        let room = self.rooms.create(sender, &request).await?;
        let mut batch = Batch::durable();
        batch.put::<NoticeRooms>(&user.to_owned(), &room);
        self.db.commit(batch).await?;
        Ok(room)
    }
}

/// The administrator who acts, and for whom.
fn administrator(actor: &Actor) -> Result<(&UserId, &UserId), NotNoticed> {
    match actor {
        Actor::AdminAs { admin, user } => Ok((admin, user)),
        Actor::User { .. }
        | Actor::AppService { .. }
        | Actor::Guest { .. }
        | Actor::ShadowBanned { .. }
        | Actor::Server
        | Actor::ServerAs { .. } => Err(NotNoticed::Forbidden),
    }
}
