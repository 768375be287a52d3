//! Registration: new accounts.
//!
//! Owns: which stages a registration needs, the checks of the name, the account with its first device in one batch. Does not own: proving
//! the stages ([`crate::uia`]), the shared secret ([`crate::shared_secret`]).
//!
//! Invariants: of registrations of one name at the same time exactly one wins; a registration token makes no more accounts than it allows;
//! a name is never given out again.

use std::net::IpAddr;

use plop_base::Actor;
use plop_db::{Batch, CommitError, Keyspace as _};
use ruma::OwnedUserId;

use crate::accounts::Accounts;
use crate::attempts::Limited;
use crate::authority::{Forbidden, managing_accounts};
use crate::directory_updates::note_directory_update;
use crate::error::StoreError;
use crate::parameters::{EmailAtRegistration, RegistrationMode};
use crate::passwords::{Busy, Password, PasswordRejected};
use crate::profile::{MAX_DISPLAY_NAME_BYTES, put_display_name};
use crate::registration_tokens::has_use;
use crate::schema::{EmailOwners, RegistrationTokenRow, RegistrationTokens, UserKind, UserRow, Users};
use crate::sessions::{DeviceRejected, LoggedIn, NewDevice};
use crate::terms::put_accepted;
use crate::threepids::put_address;
use crate::uia::Authorized;
use crate::uia_session::{Held, Stage, UiaOperation};
use crate::username::{UsernameError, new_user_id};
use crate::validation_session::ValidatedAddress;

/// Characters of a localpart that the server chooses.
const CHOSEN_LOCALPART_CHARACTERS: usize = 12;

/// What an account is made of.
#[derive(Clone, Debug, Default)]
pub struct NewAccount {
    /// `None`: the server chooses.
    pub username: Option<String>,
    /// `None`: nobody can log in with a password.
    pub password: Option<Password>,
    pub display_name: Option<String>,
    /// Logged in at once, on this device.
    pub device: Option<NewDevice>,
}

/// A new account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    pub user: OwnedUserId,
    pub login: Option<LoggedIn>,
}

/// Why there is no new account.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    #[error("registration is closed")]
    Closed,
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    Username(#[from] UsernameError),
    #[error("the user name is taken")]
    InUse,
    #[error(transparent)]
    Password(#[from] PasswordRejected),
    #[error("the display name is longer than {MAX_DISPLAY_NAME_BYTES} bytes")]
    DisplayNameTooLong,
    #[error(transparent)]
    Device(#[from] DeviceRejected),
    /// It has expired or was used up since it was proven.
    #[error("the registration token is no longer valid")]
    TokenSpent,
    /// Somebody else has taken it since it was proven.
    #[error("an account has this e-mail address already")]
    AddressInUse,
    #[error(transparent)]
    Limited(#[from] Limited),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the account may do from the start, and what it costs.
#[derive(Default)]
struct Grant {
    admin: bool,
    registration_token: Option<String>,
    /// The documents were accepted.
    terms: bool,
    /// An e-mail address that was proven.
    address: Option<ValidatedAddress>,
}

impl Accounts {
    /// The flows of which a registration has to complete one.
    pub fn registration_flows(&self) -> Result<Vec<Vec<Stage>>, RegisterError> {
        let parameters = &self.parts().parameters;
        let mut flow = Vec::new();
        match parameters.registration {
            RegistrationMode::Closed => return Err(RegisterError::Closed),
            RegistrationMode::Token => flow.push(Stage::RegistrationToken),
            RegistrationMode::Open => {}
        }
        if !parameters.terms.is_empty() {
            flow.push(Stage::Terms);
        }
        let with = |stage| [flow.as_slice(), &[stage]].concat();
        Ok(match parameters.email_at_registration() {
            // A flow has a stage.
            EmailAtRegistration::Off if flow.is_empty() => vec![with(Stage::Dummy)],
            EmailAtRegistration::Off => vec![flow],
            // Each has a stage that the other one has not, so that nobody completes the first on the way to the second.
            EmailAtRegistration::Optional => vec![with(Stage::Dummy), with(Stage::EmailIdentity)],
            EmailAtRegistration::Required => vec![with(Stage::EmailIdentity)],
        })
    }

    /// Whether a name, or one that the server chooses, can be registered now: the checks that come before interactive authentication, and
    /// the answer of `/register/available`. Counts as an attempt of the address, so that neither accounts are made without end nor
    /// names listed; `None` for a request that was counted before.
    pub async fn check_registration(
        &self,
        username: Option<&str>,
        from: Option<IpAddr>,
    ) -> Result<OwnedUserId, RegisterError> {
        self.registration_flows()?;
        if let Some(from) = from {
            self.count_registration(from)?;
        }
        self.free_user_id(username).await
    }

    /// Registers with what interactive authentication has proven.
    pub async fn register(
        &self,
        authorized: Authorized,
        account: NewAccount,
    ) -> Result<Registered, RegisterError> {
        self.registration_flows()?;
        if authorized.operation != UiaOperation::Register {
            return Err(Forbidden.into());
        }
        let terms = authorized.completed.contains(&Stage::Terms);
        let Held { registration_token, address } = authorized.held;
        self.add_account(account, Grant { admin: false, registration_token, terms, address }).await
    }

    /// Makes an account on behalf of whoever manages the server.
    pub async fn create_account(
        &self,
        actor: &Actor,
        account: NewAccount,
        admin: bool,
    ) -> Result<Registered, RegisterError> {
        managing_accounts(actor)?;
        self.add_account(account, Grant { admin, ..Grant::default() }).await
    }

    async fn add_account(&self, account: NewAccount, grant: Grant) -> Result<Registered, RegisterError> {
        let parts = self.parts();
        let NewAccount { username, password, display_name, device } = account;
        if let Some(device) = &device {
            device.check()?;
        }
        if let Some(password) = &password {
            password.check()?;
        }
        if display_name.as_ref().is_some_and(|name| name.len() > MAX_DISPLAY_NAME_BYTES) {
            return Err(RegisterError::DisplayNameTooLong);
        }
        let user = self.free_user_id(username.as_deref()).await?;
        let password = match password {
            Some(password) => Some(parts.hasher.hash(password).await?),
            None => None,
        };

        let user_guard = parts.user_guards.lock(user.as_str()).await;
        let token = grant.registration_token;
        let token_guard = match &token {
            Some(token) => Some(parts.token_guards.lock(token).await),
            None => None,
        };
        let snapshot = self.snapshot();
        let mut batch = Batch::durable();
        batch.expect::<Users>(&user, None);
        batch.put::<Users>(&user, &self.new_row(password, grant.admin));
        if grant.terms {
            put_accepted(&mut batch, &user, &parts.parameters.terms, parts.clock.now());
        }
        if let Some(address) = &grant.address {
            put_address(&mut batch, &user, address, parts.clock.now());
        }
        if let Some(name) = display_name {
            put_display_name(&mut batch, &user, name);
        }
        if let Some(token) = token {
            let found = snapshot.get::<RegistrationTokens>(&token).await.map_err(StoreError::from)?;
            let usable = found.filter(|row| has_use(row, 0, parts.clock.now()));
            let Some(row) = usable else { return Err(RegisterError::TokenSpent) };
            batch.expect::<RegistrationTokens>(&token, Some(&row));
            let used = row.used.saturating_add(1);
            batch.put::<RegistrationTokens>(&token, &RegistrationTokenRow { used, ..row });
        }
        note_directory_update(&mut batch, &user);
        let login = match device {
            Some(device) => {
                let added = self.add_session(&snapshot, &mut batch, &user, device).await;
                Some(added.map_err(StoreError::from)?.0)
            }
            None => None,
        };
        parts.db.commit_under((user_guard, token_guard), batch).await.map_err(refusal)?;
        Ok(Registered { user, login })
    }

    fn new_row(&self, password: Option<String>, admin: bool) -> UserRow {
        UserRow {
            kind: UserKind::Regular,
            created: self.parts().clock.now(),
            password,
            admin,
            locked: false,
            suspended: false,
            deactivated: None,
        }
    }

    async fn free_user_id(&self, username: Option<&str>) -> Result<OwnedUserId, RegisterError> {
        let parts = self.parts();
        let chosen;
        let (name, reserved) = match username {
            Some(name) => (name, parts.parameters.reserved_names.as_slice()),
            None => {
                chosen = parts.random.token(CHOSEN_LOCALPART_CHARACTERS);
                (chosen.as_str(), Default::default())
            }
        };
        let user = new_user_id(name, &parts.server, reserved)?;
        match self.snapshot().get::<Users>(&user).await.map_err(StoreError::from)? {
            None => Ok(user),
            Some(_) => Err(RegisterError::InUse),
        }
    }
}

/// A conflict says what another registration took first.
fn refusal(error: CommitError) -> RegisterError {
    match error {
        CommitError::Conflict { keyspace: Users::NAME, .. } => RegisterError::InUse,
        CommitError::Conflict { keyspace: RegistrationTokens::NAME, .. } => RegisterError::TokenSpent,
        CommitError::Conflict { keyspace: EmailOwners::NAME, .. } => RegisterError::AddressInUse,
        error => StoreError::from(error).into(),
    }
}
