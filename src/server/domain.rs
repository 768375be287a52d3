//! The parts of ranks 2 to 4 in this process, built each from the ones before it.
//!
//! Owns: the order in which they are built. Does not own: their parameters ([`super::parameters`]), the loops that they run ([`super::work`]), any of
//! their decisions.

use std::sync::Arc;

use plop_accounts::passwords::ImpossibleCost;
use plop_accounts::{Accounts, Parameters, StoreError};
use plop_base::{Clock, Random, Tasks};
use plop_client_api::{Api, Bodies, Budgets, Settings};
use plop_config::{Config, sections};
use plop_db::{Db, ReadError};
use plop_delayed::Delayed;
use plop_directory::Directory;
use plop_e2ee::backup::KeyBackups;
use plop_e2ee::keys::Keys;
use plop_e2ee::to_device::ToDevice;
use plop_ephemeral::{Presence, ProcessStart, Receipts, Typing};
use plop_mail::UnusableSettings;
use plop_media::Media;
use plop_moderation::notices::Notices;
use plop_moderation::reports::Reports;
use plop_rooms::Rooms;
use plop_rooms::identity::{self, IdentityError};
use plop_search::{IndexError, Search};
use plop_state_store::StateStore;
use plop_sync::Syncing;
use plop_unread::Unread;

use super::{calls, limits, mail, media, parameters, support};

/// What is remembered of users with push rules of their own.
const UNREAD_CACHE_BYTES: u64 = 8 << 20;

/// The parts that the entrances call.
pub struct Domain {
    pub accounts: Accounts,
    pub rooms: Rooms,
    pub delayed: Delayed,
    pub reports: Reports,
    pub notices: Notices,
    pub to_device: ToDevice,
    pub key_backups: KeyBackups,
    pub keys: Keys,
    pub directory: Directory,
    pub search: Search,
    pub receipts: Arc<Receipts>,
    pub typing: Arc<Typing>,
    pub presence: Arc<Presence>,
    pub sync: Syncing,
    pub unread: Unread,
    pub media: Media,
}

/// Why a part cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum DomainError {
    #[error("room states: {0}")]
    States(#[from] plop_state_store::StateError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("rooms: {0}")]
    Rooms(#[from] ReadError),
    #[error("passwords: {0}")]
    Passwords(#[from] ImpossibleCost),
    #[error("mail: {0}")]
    Mail(#[from] UnusableSettings),
    #[error("accounts: {0}")]
    Accounts(#[from] StoreError),
    #[error("media: {0}")]
    Media(#[from] plop_media::BlobError),
    #[error(transparent)]
    Search(#[from] IndexError),
}

impl Domain {
    /// Takes up what is in the database.
    pub async fn open(
        config: &Config,
        db: &Db,
        clock: &Clock,
        random: &Random,
        tasks: &Tasks,
    ) -> Result<Self, DomainError> {
        let server = config.server.name.clone();
        let key = identity::load_or_make(db, server.clone(), clock, random).await?;
        let state = StateStore::open(db, random, parameters::state_caches(config)).await?;
        let of_rooms = parameters::rooms(config);
        let rooms = Rooms::open(db.clone(), state, key, clock.clone(), random.clone(), &of_rooms).await?;
        let to_device = ToDevice::new(db.clone(), clock.clone(), server.clone());
        let key_backups = KeyBackups::new(db.clone());
        let email = mail::email(config, clock, random, tasks)?;
        let of_accounts = Parameters { email, ..parameters::accounts(config) };
        let accounts = Accounts::new(db.clone(), clock.clone(), random.clone(), server.clone(), of_accounts)?;
        let keys = Keys::new(db.clone(), accounts.clone(), server);
        let (people, delays) = (accounts.clone(), parameters::delays(config));
        let delayed = Delayed::new(db.clone(), clock.clone(), random.clone(), rooms.clone(), people, delays);
        let reports = Reports::new(db.clone(), clock.clone(), rooms.clone());
        let (people, settings) = (accounts.clone(), parameters::notices(config));
        let notices = Notices::new(db.clone(), people, rooms.clone(), settings);
        let start = ProcessStart(u64::from_be_bytes(random.bytes()));
        let typing = Arc::new(Typing::new(clock.clone(), start));
        let presence = Arc::new(Presence::new(db.clone(), clock.clone(), start));
        let unread = Unread::new(rooms.clone(), UNREAD_CACHE_BYTES);
        let sync = Syncing::new(plop_sync::Parts {
            db: db.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            rooms: rooms.clone(),
            accounts: accounts.clone(),
            typing: Arc::clone(&typing),
            presence: Arc::clone(&presence),
            to_device: to_device.clone(),
            unread: unread.clone(),
        });
        let receipts = Arc::new(Receipts::new(db.clone()));
        let media = media::open(config, db, clock, random)?;
        let search = Search::open(rooms.clone(), clock.clone(), parameters::search(config)).await?;
        let directory = Directory::new(db.clone(), rooms.server().to_owned(), parameters::directory(config));
        Ok(Self {
            accounts,
            rooms,
            delayed,
            reports,
            notices,
            to_device,
            key_backups,
            keys,
            directory,
            search,
            receipts,
            typing,
            presence,
            sync,
            unread,
            media,
        })
    }

    /// Makes the database this server's. To be called when nothing refuses the start any more.
    pub async fn claim(&self, config: &Config, db: &Db) -> Result<(), DomainError> {
        Ok(identity::claim(db, &config.server.name).await?)
    }

    /// The token with which the first user of a try-out registers; `None` once there is a user, or where nobody registers by token.
    pub async fn first_registration_token(&self, config: &Config) -> Result<Option<String>, DomainError> {
        match config.registration.mode {
            sections::RegistrationMode::Token => Ok(self.accounts.first_registration_token().await?),
            sections::RegistrationMode::Closed | sections::RegistrationMode::Open => Ok(None),
        }
    }

    /// What the client API works with.
    pub fn client_api(&self, config: &Config, clock: &Clock) -> Api {
        Api {
            accounts: self.accounts.clone(),
            rooms: self.rooms.clone(),
            delayed: self.delayed.clone(),
            reports: self.reports.clone(),
            notices: self.notices.clone(),
            receipts: Arc::clone(&self.receipts),
            typing: Arc::clone(&self.typing),
            presence: Arc::clone(&self.presence),
            to_device: self.to_device.clone(),
            key_backups: self.key_backups.clone(),
            keys: self.keys.clone(),
            directory: self.directory.clone(),
            search: self.search.clone(),
            sync: self.sync.clone(),
            unread: self.unread.clone(),
            media: self.media.clone(),
            clock: clock.clone(),
            bodies: Bodies::new(limits::bodies(&config.limits), clock),
            budgets: Budgets::new(limits::budgets(&config.limits), clock),
            turn: calls::turn(&config.calls).map(Arc::new),
            transports: calls::transports(&config.calls),
            settings: Arc::new(Settings {
                default_room_version: config.server.default_room_version.clone(),
                public_url: config.server.public_url.clone(),
                contacts: support::contacts(&config.support),
                support_page: config.support.page.clone(),
                freeze_media: config.media.freeze_unauthenticated,
            }),
        }
    }

    /// Saves what is saved late. To be called at the stop, after the last request and before the database closes.
    pub async fn save(&self) {
        if let Err(error) = self.presence.save().await {
            tracing::warn!(%error, "the last presence was not stored");
        }
    }
}
