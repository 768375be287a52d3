//! Why what users keep on the server stays as it is: profile, account data, tags, thread subscriptions, push rules,
//! filters, presence.

use http::StatusCode;
use plop_accounts::account_data::AccountDataError;
use plop_accounts::filters::FilterError;
use plop_accounts::profile::ProfileError;
use plop_accounts::push_rules::PushRuleError;
use plop_accounts::pushers::PusherError;
use plop_accounts::tags::TagError;
use plop_accounts::thread_subscriptions::ThreadSubscriptionError;
use plop_ephemeral::{self as ephemeral, PresenceError};
use plop_state::push::edit::EditError;
use ruma::api::error::ErrorKind;

use crate::error::ApiError;

impl From<ProfileError> for ApiError {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::NoUser => Self::not_found(error),
            ProfileError::Guest => Self::guest_access_forbidden(error),
            ProfileError::Suspended => Self::user_suspended(),
            ProfileError::InvalidField => Self::invalid_param(error),
            ProfileError::FieldNameTooLong => Self::bad_request(ErrorKind::KeyTooLarge, error),
            ProfileError::InvalidValue => Self::bad_request(ErrorKind::BadJson, error),
            ProfileError::TooLarge => Self::bad_request(ErrorKind::ProfileTooLarge, error),
            ProfileError::Forbidden(error) => error.into(),
            ProfileError::Store(error) => error.into(),
        }
    }
}

impl From<AccountDataError> for ApiError {
    fn from(error: AccountDataError) -> Self {
        match error {
            // The status and code of `PUT /user/{userId}/account_data/{type}`.
            AccountDataError::ServerManaged => {
                Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorKind::BadJson, error)
            }
            AccountDataError::InvalidType => Self::invalid_param(error),
            AccountDataError::TooLarge | AccountDataError::Full => Self::too_large(error),
            AccountDataError::NoAccount => Self::not_found(error),
            AccountDataError::Forbidden(error) => error.into(),
            AccountDataError::Store(error) => error.into(),
        }
    }
}

impl From<TagError> for ApiError {
    fn from(error: TagError) -> Self {
        match error {
            TagError::InvalidName | TagError::InvalidOrder => Self::invalid_param(error),
            TagError::TooMany => Self::too_large(error),
            TagError::AccountData(error) => error.into(),
        }
    }
}

impl From<ThreadSubscriptionError> for ApiError {
    fn from(error: ThreadSubscriptionError) -> Self {
        match error {
            ThreadSubscriptionError::UnsubscribedSince => {
                Self::new(StatusCode::CONFLICT, ErrorKind::ConflictingUnsubscription, error)
            }
            ThreadSubscriptionError::TooMany => Self::too_many(error),
            ThreadSubscriptionError::NoAccount => Self::not_found(error),
            ThreadSubscriptionError::Forbidden(error) => error.into(),
            ThreadSubscriptionError::Store(error) => error.into(),
        }
    }
}

impl From<PushRuleError> for ApiError {
    fn from(error: PushRuleError) -> Self {
        match error {
            PushRuleError::Edit(error) => error.into(),
            PushRuleError::AccountData(error) => error.into(),
        }
    }
}

impl From<EditError> for ApiError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::NotFound => Self::not_found(error),
            EditError::ReservedId
            | EditError::InvalidId
            | EditError::RelativeToDefault
            | EditError::ServerDefault => Self::invalid_param(error),
            // The code of `PUT /pushrules/global/{kind}/{ruleId}`.
            EditError::UnknownRelative | EditError::BeforeAboveAfter => {
                Self::bad_request(ErrorKind::Unknown, error)
            }
            EditError::PatternTooLong => Self::too_large(error),
            EditError::TooMany => Self::too_many(error),
        }
    }
}

impl From<PusherError> for ApiError {
    fn from(error: PusherError) -> Self {
        match error {
            PusherError::InvalidApp | PusherError::InvalidPushKey | PusherError::InvalidUrl => {
                Self::invalid_param(error)
            }
            PusherError::NoUrl => Self::missing_param(error),
            PusherError::TextTooLong | PusherError::DataTooLarge => Self::too_large(error),
            PusherError::TooMany => Self::too_many(error),
            PusherError::NoDevice => Self::unknown_token(false, error),
            PusherError::NoAccount => Self::not_found(error),
            PusherError::Forbidden(error) => error.into(),
            PusherError::Store(error) => error.into(),
        }
    }
}

impl From<FilterError> for ApiError {
    fn from(error: FilterError) -> Self {
        match error {
            FilterError::Invalid(_) => Self::bad_request(ErrorKind::BadJson, error),
            FilterError::TooLarge => Self::too_large(error),
            FilterError::TooMany => Self::too_many(error),
            FilterError::NoAccount => Self::not_found(error),
            FilterError::Forbidden(error) => error.into(),
            FilterError::Store(error) => error.into(),
        }
    }
}

impl From<ephemeral::Forbidden> for ApiError {
    fn from(forbidden: ephemeral::Forbidden) -> Self {
        Self::forbidden(forbidden)
    }
}

impl From<PresenceError> for ApiError {
    fn from(error: PresenceError) -> Self {
        match error {
            PresenceError::StatusTooLong => Self::too_large(error),
            PresenceError::TooManyUsers => Self::unavailable(error),
            PresenceError::Forbidden(error) => error.into(),
        }
    }
}
