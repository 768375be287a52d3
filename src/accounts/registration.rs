//! Registration: new accounts.
//!
//! Owns: which stages a registration needs, the checks of the name, the account with its first device in one batch. Does not own: proving
//! the stages ([`crate::uia`]), the shared secret ([`crate::shared_secret`]).
//!
//! Invariants: of registrations of one name at the same time exactly one wins; a registration token makes no more accounts than it allows;
//! a name is never given out again.

use std::net::IpAddr;

use plop_base::Actor;
use plop_db::{Batch, CommitError, KeyRange, Keyspace as _, Snapshot};
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
use crate::schema::{
    DeviceTokens, EmailOwners, Guests, RegistrationTokenRow, RegistrationTokens, UserKind, UserRow, Users,
};
use crate::secrets::SecretHash;
use crate::sessions::{DeviceRejected, LoggedIn, NewDevice};
use crate::terms::put_accepted;
use crate::threepids::put_address;
use crate::tokens::tokens_of;
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
    #[error("there are no guest accounts here")]
    NoGuests,
    /// Of a guest's account that is to become a full one.
    #[error("this is not the access token and the user name of a guest")]
    NotThatGuest,
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
pub(crate) struct Grant {
    status: Status,
    admin: bool,
    registration_token: Option<String>,
    /// The documents were accepted.
    terms: bool,
    /// An e-mail address that was proven.
    address: Option<ValidatedAddress>,
}

impl Grant {
    /// Of a new account of a guest.
    pub fn of_guest() -> Self {
        Self { status: Status::Guest, ..Self::default() }
    }
}

/// What becomes of a name.
#[derive(Default)]
pub(crate) enum Status {
    /// A new account.
    #[default]
    User,
    /// A new one of a guest.
    Guest,
    /// The guest of this name becomes a user.
    FormerGuest(OwnedUserId),
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
        self.register_as(authorized, account, Status::User).await
    }

    pub(crate) async fn register_as(
        &self,
        authorized: Authorized,
        account: NewAccount,
        status: Status,
    ) -> Result<Registered, RegisterError> {
        self.registration_flows()?;
        if authorized.operation != UiaOperation::Register {
            return Err(Forbidden.into());
        }
        let terms = authorized.completed.contains(&Stage::Terms);
        let Held { registration_token, address } = authorized.held;
        self.add_account(account, Grant { status, admin: false, registration_token, terms, address }).await
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

    pub(crate) async fn add_account(
        &self,
        account: NewAccount,
        grant: Grant,
    ) -> Result<Registered, RegisterError> {
        let parts = self.parts();
        account.check()?;
        let NewAccount { username, password, display_name, device } = account;
        let user = match &grant.status {
            Status::User | Status::Guest => self.free_user_id(username.as_deref()).await?,
            Status::FormerGuest(user) => user.clone(),
        };
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
        let row = self.new_row(password, grant.admin);
        let mut ended = put_user(&snapshot, &mut batch, (&user, row), &grant.status).await?;
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
        let login = match device {
            Some(device) => {
                let added = self.add_session(&snapshot, &mut batch, &user, device).await;
                let (login, replaced) = added.map_err(StoreError::from)?;
                ended.extend(replaced);
                Some(login)
            }
            None => None,
        };
        self.commit_ending_under(batch, ended, (user_guard, token_guard)).await.map_err(refusal)?;
        grant.address.iter().for_each(|proven| self.use_up(proven));
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

impl NewAccount {
    fn check(&self) -> Result<(), RegisterError> {
        if let Some(device) = &self.device {
            device.check()?;
        }
        if let Some(password) = &self.password {
            password.check()?;
        }
        if self.display_name.as_ref().is_some_and(|name| name.len() > MAX_DISPLAY_NAME_BYTES) {
            return Err(RegisterError::DisplayNameTooLong);
        }
        Ok(())
    }
}

/// Writes a user. Names the sessions that may do something else from then on: those that a former guest has.
async fn put_user(
    snapshot: &Snapshot,
    batch: &mut Batch,
    (user, new): (&OwnedUserId, UserRow),
    status: &Status,
) -> Result<Vec<SecretHash>, RegisterError> {
    match status {
        Status::User => {
            batch.expect::<Users>(user, None);
            batch.put::<Users>(user, &new);
            note_directory_update(batch, user);
            Ok(Vec::new())
        }
        Status::Guest => {
            batch.expect::<Users>(user, None);
            batch.put::<Guests>(&(new.created, user.clone()), &());
            batch.put::<Users>(user, &UserRow { kind: UserKind::Guest, ..new });
            Ok(Vec::new())
        }
        Status::FormerGuest(_) => {
            let row = snapshot.get::<Users>(user).await.map_err(StoreError::from)?;
            let is_guest = |row: &UserRow| row.kind == UserKind::Guest && row.deactivated.is_none();
            let Some(row) = row.filter(is_guest) else { return Err(RegisterError::NotThatGuest) };
            batch.expect::<Users>(user, Some(&row));
            let (kind, password) = (UserKind::Regular, new.password);
            batch.put::<Users>(user, &UserRow { kind, password, ..row });
            note_directory_update(batch, user);
            let tokens = tokens_of(snapshot, KeyRange::<DeviceTokens>::prefix(user)).await;
            Ok(tokens.map_err(StoreError::from)?.into_iter().map(|((_, _, token), _)| token).collect())
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
