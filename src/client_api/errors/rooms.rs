//! What was not done to a room.
//!
//! Invariant: a refusal that does not tell whether a room is here is one and the same answer for both.

use http::StatusCode;
use plop_rooms::ops::create::CreateError;
use plop_rooms::ops::refusal::Refusal;
use plop_state::auth::AuthError;
use plop_state::builder::BuildError;
use plop_state::pdu::FormatError;
use ruma::api::error::ErrorKind;

use crate::error::ApiError;

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Rule(error) => error.into(),
            Refusal::Event(error) => error.into(),
            Refusal::Store(fault) => fault.into(),
            Refusal::NoSuchEvent | Refusal::NoSuchAlias => Self::not_found(refusal),
            Refusal::TooManyInvites { wait } => Self::limited(wait),
            Refusal::Guest => Self::guest_access_forbidden(refusal),
            Refusal::ServerNoticeRoom => {
                Self::new(StatusCode::FORBIDDEN, ErrorKind::CannotLeaveServerNoticeRoom, refusal)
            }
            Refusal::InviteBlocked(_) => Self::new(StatusCode::FORBIDDEN, ErrorKind::InviteBlocked, refusal),
            // Clients know from other servers that it is no lack of power.
            Refusal::Banned | Refusal::TargetNotBanned(_) => {
                Self::new(StatusCode::FORBIDDEN, ErrorKind::BadState, refusal)
            }
            Refusal::NotInRoom
            | Refusal::NotAdmitted
            | Refusal::NoUser
            | Refusal::MayNotRedact
            | Refusal::TargetBanned(_)
            | Refusal::TargetJoined(_)
            | Refusal::TargetNotInRoom(_)
            | Refusal::WrongMembership
            | Refusal::Unreachable(_)
            | Refusal::MayNotChangeAlias
            | Refusal::MayNotPublish => Self::forbidden(refusal),
            // The code of the threading module.
            Refusal::NoThreadRoot => Self::bad_request(ErrorKind::Unknown, refusal),
            Refusal::DuplicateAnnotation => Self::bad_request(ErrorKind::DuplicateAnnotation, refusal),
            Refusal::StillInRoom => Self::bad_request(ErrorKind::Unknown, refusal),
            Refusal::UnableToAuthorise => Self::bad_request(ErrorKind::UnableToAuthorizeJoin, refusal),
            Refusal::BadAlias(_) => Self::bad_request(ErrorKind::BadAlias, refusal),
            Refusal::InvalidAlias => Self::invalid_param(refusal),
            Refusal::AliasInUse => Self::new(StatusCode::CONFLICT, ErrorKind::Unknown, refusal),
            Refusal::UnknownVersion(_) => Self::bad_request(ErrorKind::UnsupportedRoomVersion, refusal),
            Refusal::IdTooLong(_) => Self::too_large(refusal),
        }
    }
}

impl From<CreateError> for ApiError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Event(error) => error.into(),
            CreateError::Store(fault) => fault.into(),
            CreateError::TooManyInvites { wait } => Self::limited(wait),
            CreateError::Guest => Self::guest_access_forbidden(error),
            CreateError::InviteBlocked(_) => {
                Self::new(StatusCode::FORBIDDEN, ErrorKind::InviteBlocked, error)
            }
            CreateError::NoCreator | CreateError::Unreachable(_) => Self::forbidden(error),
            CreateError::UnsupportedVersion(_) => Self::bad_request(ErrorKind::UnsupportedRoomVersion, error),
            CreateError::InvalidAlias | CreateError::CreationContent(_) => Self::invalid_param(error),
            CreateError::AliasInUse => Self::bad_request(ErrorKind::RoomInUse, error),
            CreateError::InitialState(_) | CreateError::MemberInInitialState => {
                Self::bad_request(ErrorKind::InvalidRoomState, error)
            }
            CreateError::BadAlias => Self::bad_request(ErrorKind::BadAlias, error),
            CreateError::TooLarge => Self::too_large(error),
        }
    }
}

impl From<BuildError> for ApiError {
    fn from(error: BuildError) -> Self {
        match &error {
            BuildError::TooLarge(_) | BuildError::Format(FormatError::TooLarge(_)) => Self::too_large(error),
            // An event type or a state key of more than 255 bytes.
            BuildError::Format(FormatError::Invalid("type" | "state_key")) => Self::too_large(error),
            BuildError::Format(_) | BuildError::EventId => Self::bad_request(ErrorKind::BadJson, error),
        }
    }
}

/// What a client could have known from the content alone is a bad request; all else is a matter of what is allowed.
impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::MemberStateKey
            | AuthError::StateKeyWithoutOwner
            | AuthError::UnknownMembership
            | AuthError::MalformedAuthoriser
            | AuthError::MalformedPowerLevels(_)
            | AuthError::PowerLevelsNameCreator
            | AuthError::CreateRoomVersion
            | AuthError::CreateWithoutCreator
            | AuthError::CreateAdditionalCreators => Self::bad_request(ErrorKind::BadJson, error),
            AuthError::CreateHasPrevEvents
            | AuthError::SecondCreate
            | AuthError::CreateRoomIdOfOtherServer
            | AuthError::CreateHasRoomId
            | AuthError::DuplicateAuthEvents
            | AuthError::UnexpectedAuthEvent(_)
            | AuthError::RejectedAuthEvent(_)
            | AuthError::AuthEventOfOtherRoom(_)
            | AuthError::NoCreateAmongAuthEvents
            | AuthError::RoomIdNotOfCreate
            | AuthError::NoCreate
            | AuthError::MalformedPowerLevelsInState(_)
            | AuthError::NotFederated
            | AuthError::SenderNotJoined
            | AuthError::EventLevel
            | AuthError::StateKeyOfOtherUser
            | AuthError::AliasesOfOtherServer
            | AuthError::JoinOrKnockForOtherUser
            | AuthError::Banned
            | AuthError::NotInvited
            | AuthError::NotAuthorised
            | AuthError::JoinRuleClosed
            | AuthError::InviteOfJoinedOrBanned
            | AuthError::InviteLevel
            | AuthError::ThirdPartyInvite(_)
            | AuthError::NothingToLeave
            | AuthError::KickLevel
            | AuthError::BanLevel
            | AuthError::KnockNotAllowed
            | AuthError::KnockOfMember
            | AuthError::LevelChangeAboveSender(_)
            | AuthError::RedactionOfOtherServer => Self::forbidden(error),
        }
    }
}
