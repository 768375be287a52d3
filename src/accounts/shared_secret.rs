//! Registration by who knows the server's secret: how administrators make accounts, the first one too
//! (`/_synapse/admin/v1/register`, as Synapse documents it).
//!
//! Invariants: a nonce is good for one attempt within a minute; the codes are compared in constant time; without a configured secret there
//! is nothing here.

use hmac::{Hmac, KeyInit as _, Mac as _};
use plop_base::Actor;
use sha1::Sha1;

use crate::accounts::{Accounts, lock};
use crate::passwords::Password;
use crate::registration::{NewAccount, RegisterError, Registered};
use crate::secrets::make_secret;
use crate::sessions::NewDevice;

/// The request.
#[derive(Clone, Debug)]
pub struct SharedSecretRegistration {
    pub nonce: String,
    pub username: String,
    pub password: Password,
    pub display_name: Option<String>,
    pub admin: bool,
    /// Part of the code where it was given. Only ordinary users can be made: any type is refused.
    pub user_type: Option<String>,
    /// HMAC-SHA1 in hexadecimal digits.
    pub mac: String,
    /// `None`: not logged in.
    pub device: Option<NewDevice>,
}

/// Why there is no new account.
#[derive(Debug, thiserror::Error)]
pub enum SharedSecretError {
    /// No secret is configured.
    #[error("shared secret registration is off")]
    Off,
    #[error("the nonce is unknown, used or too old")]
    UnknownNonce,
    #[error("the code is wrong")]
    WrongMac,
    #[error("users of this type cannot be made")]
    UnsupportedUserType,
    #[error(transparent)]
    Register(#[from] RegisterError),
}

impl Accounts {
    /// A nonce for one attempt.
    pub fn shared_secret_nonce(&self) -> Result<String, SharedSecretError> {
        let parts = self.parts();
        if parts.parameters.shared_secret.is_none() {
            return Err(SharedSecretError::Off);
        }
        let nonce = make_secret(&parts.random);
        lock(&parts.nonces).insert(parts.clock.monotonic(), &nonce, ());
        Ok(nonce)
    }

    /// Makes the account if the code proves the secret.
    pub async fn register_with_shared_secret(
        &self,
        request: SharedSecretRegistration,
    ) -> Result<Registered, SharedSecretError> {
        let parts = self.parts();
        let Some(secret) = &parts.parameters.shared_secret else { return Err(SharedSecretError::Off) };
        let taken = lock(&parts.nonces).take(parts.clock.monotonic(), &request.nonce);
        taken.ok_or(SharedSecretError::UnknownNonce)?;
        if !code_is_right(secret, &request) {
            return Err(SharedSecretError::WrongMac);
        }
        if request.user_type.is_some() {
            return Err(SharedSecretError::UnsupportedUserType);
        }
        let account = NewAccount {
            username: Some(request.username),
            password: Some(request.password),
            display_name: request.display_name,
            device: request.device,
        };
        Ok(self.create_account(&Actor::Server, account, request.admin).await?)
    }
}

fn code_is_right(secret: &Password, request: &SharedSecretRegistration) -> bool {
    let Some(given) = from_hex(&request.mac) else { return false };
    // HMAC takes keys of every length.
    let Ok(mut code) = Hmac::<Sha1>::new_from_slice(secret.as_bytes()) else { return false };
    let admin = if request.admin { "admin" } else { "notadmin" };
    let user_type = request.user_type.as_deref().map(str::as_bytes);
    let fields = [
        request.nonce.as_bytes(),
        request.username.as_bytes(),
        request.password.as_bytes(),
        admin.as_bytes(),
    ];
    for (index, field) in fields.into_iter().chain(user_type).enumerate() {
        if index > 0 {
            code.update(b"\0");
        }
        code.update(field);
    }
    code.verify_slice(&given).is_ok()
}

/// The 20 bytes of a code.
fn from_hex(text: &str) -> Option<[u8; 20]> {
    let mut bytes = [0; 20];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let mut digits = digits.iter().map(|digit| char::from(*digit).to_digit(16));
        // Two digits below 16 make a byte.
        *byte = (digits.next()?? * 16 + digits.next()??) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_forty_hexadecimal_digits() {
        assert_eq!(from_hex(&"0f".repeat(20)), Some([15; 20]));
        assert_eq!(from_hex(&"Ff".repeat(20)), Some([255; 20]));
        for text in ["", "0f", &"0g".repeat(20), &"0f".repeat(21), &"é".repeat(20)] {
            assert_eq!(from_hex(text), None);
        }
    }
}
