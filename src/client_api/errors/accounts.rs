//! Why nobody is logged in or registered, and why an account or a device stays as it is.

use http::StatusCode;
use plop_accounts::Forbidden;
use plop_accounts::deactivation::DeactivationError;
use plop_accounts::devices::DeviceError;
use plop_accounts::login::LoginError;
use plop_accounts::moderation::ModerationError;
use plop_accounts::openid::OpenIdError;
use plop_accounts::password_change::PasswordChangeError;
use plop_accounts::passwords::PasswordRejected;
use plop_accounts::refresh::RefreshError;
use plop_accounts::registration::RegisterError;
use plop_accounts::registration_tokens::RegistrationTokenError;
use plop_accounts::sessions::{DeviceRejected, TokenError};
use plop_accounts::shared_secret::SharedSecretError;
use plop_accounts::username::UsernameError;
use ruma::api::error::ErrorKind;

use crate::error::ApiError;

impl From<Forbidden> for ApiError {
    fn from(forbidden: Forbidden) -> Self {
        Self::forbidden(forbidden)
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Unknown => Self::unknown_token(false, error),
            TokenError::Expired => Self::unknown_token(true, error),
            TokenError::Store(error) => error.into(),
        }
    }
}

impl From<LoginError> for ApiError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::WrongCredentials => Self::forbidden(error),
            LoginError::Deactivated => Self::new(StatusCode::FORBIDDEN, ErrorKind::UserDeactivated, error),
            LoginError::Locked => Self::user_locked(),
            LoginError::Device(error) => error.into(),
            LoginError::Limited(error) => error.into(),
            LoginError::Busy(error) => error.into(),
            LoginError::Store(error) => error.into(),
        }
    }
}

/// The device is still there unless the token says nothing at all.
impl From<RefreshError> for ApiError {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Unknown => Self::unknown_token(false, error),
            RefreshError::Reused | RefreshError::Expired => Self::unknown_token(true, error),
            RefreshError::Locked => Self::user_locked(),
            RefreshError::Store(error) => error.into(),
        }
    }
}

impl From<RegisterError> for ApiError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Closed
            | RegisterError::NoGuests
            | RegisterError::NotThatGuest
            | RegisterError::TokenSpent => Self::forbidden(error),
            RegisterError::DisplayNameTooLong => Self::too_large(error),
            RegisterError::InUse => Self::bad_request(ErrorKind::UserInUse, error),
            RegisterError::AddressInUse => Self::bad_request(ErrorKind::ThreepidInUse, error),
            RegisterError::Forbidden(error) => error.into(),
            RegisterError::Username(error) => error.into(),
            RegisterError::Password(error) => error.into(),
            RegisterError::Device(error) => error.into(),
            RegisterError::Limited(error) => error.into(),
            RegisterError::Busy(error) => error.into(),
            RegisterError::Store(error) => error.into(),
        }
    }
}

impl From<UsernameError> for ApiError {
    fn from(error: UsernameError) -> Self {
        let kind = match error {
            UsernameError::Invalid => ErrorKind::InvalidUsername,
            UsernameError::Reserved => ErrorKind::Exclusive,
        };
        Self::bad_request(kind, error)
    }
}

impl From<PasswordRejected> for ApiError {
    fn from(error: PasswordRejected) -> Self {
        match error {
            PasswordRejected::Empty => Self::bad_request(ErrorKind::WeakPassword, error),
            PasswordRejected::TooLong => Self::too_large(error),
        }
    }
}

impl From<DeviceRejected> for ApiError {
    fn from(error: DeviceRejected) -> Self {
        match error {
            DeviceRejected::InvalidId | DeviceRejected::Dehydrated => Self::invalid_param(error),
            DeviceRejected::NameTooLong => Self::too_large(error),
        }
    }
}

impl From<RegistrationTokenError> for ApiError {
    fn from(error: RegistrationTokenError) -> Self {
        match error {
            RegistrationTokenError::Closed => Self::forbidden(error),
            RegistrationTokenError::Invalid | RegistrationTokenError::Exists => Self::invalid_param(error),
            RegistrationTokenError::Forbidden(error) => error.into(),
            RegistrationTokenError::Limited(error) => error.into(),
            RegistrationTokenError::Store(error) => error.into(),
        }
    }
}

/// As Synapse answers, which is where the endpoint comes from.
impl From<SharedSecretError> for ApiError {
    fn from(error: SharedSecretError) -> Self {
        match error {
            SharedSecretError::Off => Self::unrecognized(),
            SharedSecretError::UnknownNonce => Self::bad_request(ErrorKind::Unknown, error),
            SharedSecretError::WrongMac => Self::forbidden(error),
            SharedSecretError::UnsupportedUserType => Self::invalid_param(error),
            SharedSecretError::Register(error) => error.into(),
        }
    }
}

impl From<PasswordChangeError> for ApiError {
    fn from(error: PasswordChangeError) -> Self {
        match error {
            PasswordChangeError::NoAccount => Self::not_found(error),
            PasswordChangeError::Locked => Self::user_locked(),
            PasswordChangeError::Forbidden(error) => error.into(),
            PasswordChangeError::Rejected(error) => error.into(),
            PasswordChangeError::Busy(error) => error.into(),
            PasswordChangeError::Store(error) => error.into(),
        }
    }
}

impl From<ModerationError> for ApiError {
    fn from(error: ModerationError) -> Self {
        match error {
            ModerationError::OwnAccount | ModerationError::Administrator => Self::forbidden(error),
            ModerationError::NotLocal => Self::invalid_param(error),
            ModerationError::NoAccount => Self::not_found(error),
            ModerationError::Forbidden(error) => error.into(),
            ModerationError::Store(error) => error.into(),
        }
    }
}

impl From<OpenIdError> for ApiError {
    fn from(error: OpenIdError) -> Self {
        match error {
            OpenIdError::NoAccount => Self::not_found(error),
            OpenIdError::UnknownToken => Self::unknown_token(false, error),
            OpenIdError::Forbidden(error) => error.into(),
            OpenIdError::Store(error) => error.into(),
        }
    }
}

impl From<DeactivationError> for ApiError {
    fn from(error: DeactivationError) -> Self {
        match error {
            DeactivationError::NoAccount => Self::not_found(error),
            DeactivationError::Forbidden(error) => error.into(),
            DeactivationError::Store(error) => error.into(),
        }
    }
}

impl From<DeviceError> for ApiError {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::NotFound => Self::not_found(error),
            DeviceError::TooMany => Self::too_many(error),
            DeviceError::Forbidden(error) => error.into(),
            DeviceError::Rejected(error) => error.into(),
            DeviceError::Store(error) => error.into(),
        }
    }
}
