//! The parts of ranks 2 to 4 in this process: built from the configuration, each from the ones before it, and the work that they do in the
//! background.
//!
//! Owns: what their parameters are in the configuration; which of their loops run, and how often. Does not own: any of their decisions.

use std::future::Future;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use plop_accounts::parameters::{LoginLimits, MailLimits, RegistrationLimits, RegistrationMode};
use plop_accounts::passwords::{ImpossibleCost, PasswordCost};
use plop_accounts::terms::{Policy, PolicyText};
use plop_accounts::{Accounts, Parameters, StoreError};
use plop_base::tasks::TaskError;
use plop_base::{Clock, Random, TaskKind, Tasks};
use plop_client_api::{Api, Bodies, Budgets, Settings};
use plop_config::{Config, sections};
use plop_db::{Db, ReadError};
use plop_directory::{Directory, DirectoryParameters};
use plop_delayed::{Delayed, Limits};
use plop_e2ee::backup::KeyBackups;
use plop_e2ee::keys::Keys;
use plop_e2ee::to_device::ToDevice;
use plop_ephemeral::{Presence, ProcessStart, Receipts, Typing};
use plop_media::Media;
use plop_moderation::reports::Reports;
use plop_mail::UnusableSettings;
use plop_rooms::identity::{self, IdentityError};
use plop_rooms::ops::transactions;
use plop_rooms::redaction;
use plop_rooms::upkeep::Upkeep;
use plop_rooms::{RoomParameters, Rooms};
use plop_search::language::Language;
use plop_search::{IndexError, Place, Search, SearchParameters};
use plop_state_store::{CacheBytes, StateStore};
use plop_sync::Syncing;
use plop_unread::Unread;

use super::media;
use super::{limits, mail};

/// What is remembered of users with push rules of their own.
const UNREAD_CACHE_BYTES: u64 = 8 << 20;

/// The parts that the entrances call.
pub struct Domain {
    pub accounts: Accounts,
    pub rooms: Rooms,
    pub delayed: Delayed,
    pub reports: Reports,
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
        let caches = &config.caches;
        let server = config.server.name.clone();
        let key = identity::load_or_make(db, server.clone(), clock, random).await?;
        let cache = CacheBytes { nodes: bytes(caches.states_mib), links: bytes(caches.auth_chains_mib) };
        let state = StateStore::open(db, random, cache).await?;
        let of_rooms = room_parameters(config);
        let rooms = Rooms::open(db.clone(), state, key, clock.clone(), random.clone(), &of_rooms).await?;
        let to_device = ToDevice::new(db.clone(), clock.clone(), server.clone());
        let key_backups = KeyBackups::new(db.clone());
        let accounts = Accounts::new(
            db.clone(),
            clock.clone(),
            random.clone(),
            server.clone(),
            account_parameters(config),
        )?;
        let keys = Keys::new(db.clone(), accounts.clone(), server);
        let accounts =
            Accounts::new(db.clone(), clock.clone(), random.clone(), server, account_parameters(config))?;
        let (people, limits) = (accounts.clone(), delay_limits(config));
        let delayed = Delayed::new(db.clone(), clock.clone(), random.clone(), rooms.clone(), people, limits);
        let reports = Reports::new(db.clone(), clock.clone(), rooms.clone());
        let mut parameters = account_parameters(config);
        parameters.email = mail::email(config, clock, random, tasks)?;
        let accounts = Accounts::new(db.clone(), clock.clone(), random.clone(), server, parameters)?;
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

        let search = Search::open(rooms.clone(), clock.clone(), search_parameters(config)).await?;
        let directory = Directory::new(db.clone(), rooms.server().to_owned(), directory_parameters(config));
        Ok(Self {
            accounts,
            rooms,
            to_device,
            key_backups,
            keys,
            search,
        Ok(Self {
            accounts,
            rooms,
            delayed,
            reports,
            to_device,
            key_backups,
            receipts,
            typing,
            presence,
            sync,
            unread,
            media,
            directory,
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
            settings: Arc::new(Settings {
                default_room_version: config.server.default_room_version.clone(),
                public_url: config.server.public_url.clone(),
                freeze_media: config.media.freeze_unauthenticated,
            }),
        }
    }

    /// Starts what the parts do by themselves.
    pub fn spawn(&self, config: &Config, tasks: &Tasks, db: &Db, clock: &Clock) {
        let typing = Arc::clone(&self.typing);
        tasks.spawn(TaskKind::Maintenance, "typing", move || {
            endless(typing.clone(), async |typing| typing.run().await)
        });
        let presence = Arc::clone(&self.presence);
        tasks.spawn(TaskKind::Maintenance, "presence", move || {
            endless(presence.clone(), async |presence| presence.run().await)
        });
        let presence = Arc::clone(&self.presence);
        tasks.spawn(TaskKind::Maintenance, "presence storing", move || {
            endless(presence.clone(), async |presence| presence.run_storing().await)
        });
        let upkeep = Upkeep::new(self.rooms.clone(), self.accounts.clone());
        let stopping = tasks.clone();
        tasks.spawn(TaskKind::Follower, "rooms follow accounts", move || {
            follow_accounts(upkeep.clone(), stopping.clone())
        });
        let (directory, stopping) = (self.directory.clone(), tasks.clone());
        tasks.spawn(TaskKind::Follower, "user directory", move || {
            let directory = directory.clone();
            until_stopped(async move { directory.run().await }, stopping.clone())
        });
        let (search, stopping) = (self.search.clone(), tasks.clone());
        tasks.spawn(TaskKind::Follower, "search index", move || {
            let search = search.clone();
            until_stopped(async move { search.run().await }, stopping.clone())
        });
        let sync = self.sync.clone();
        tasks.spawn(TaskKind::Follower, "sync", move || {
            let sync = sync.clone();
            async move { sync.run().await }
        });
        let sync = self.sync.clone();
        tasks.spawn(TaskKind::Follower, "sync of presence", move || {
            let sync = sync.clone();
            async move { sync.run_presence().await }
        });
        let (delayed, stopping) = (self.delayed.clone(), tasks.clone());
        tasks.spawn(TaskKind::Follower, "delayed events", move || {
            send_delayed(delayed.clone(), stopping.clone())
        });
        let every = Duration::from_secs(config.database.sweep_minutes.get().saturating_mul(60));
        let (backups, pause) = (self.key_backups.clone(), clock.clone());
        tasks.spawn(TaskKind::Maintenance, "forgetting key backups", move || {
            forget_backups(backups.clone(), pause.clone(), every)
        });
        let (media, media_clock) = (self.media.clone(), clock.clone());
        tasks.spawn(TaskKind::Maintenance, "media", move || {
            sweep_media(media.clone(), media_clock.clone(), every)
        let (delayed, pause) = (self.delayed.clone(), clock.clone());
        tasks.spawn(TaskKind::Maintenance, "forgetting delayed events", move || {
            forget_delayed(delayed.clone(), pause.clone(), every)
        });
        let (db, clock, to_device) = (db.clone(), clock.clone(), self.to_device.clone());
        let sync = self.sync.clone();
        tasks.spawn(TaskKind::Maintenance, "forgetting", move || {
            forget(db.clone(), clock.clone(), to_device.clone(), sync.clone(), every)
        });
    }

    /// Saves what is saved late. To be called at the stop, after the last request and before the database closes.
    pub async fn save(&self) {
        if let Err(error) = self.presence.save().await {
            tracing::warn!(%error, "the last presence was not stored");
        }
    }
}

/// A loop of a part as a task; it ends with the process.
async fn endless<T, F: Future<Output = ()>>(
    part: Arc<T>,
    run: impl Fn(Arc<T>) -> F,
) -> Result<(), TaskError> {
    run(part).await;
    Ok(())
}

/// Until the process stops; what is then undone is on the list still.
async fn follow_accounts(upkeep: Upkeep, tasks: Tasks) -> Result<(), TaskError> {
    tokio::select! {
        ended = upkeep.run() => Ok(ended?),
        _ = tasks.shutdown_requested() => Ok(()),
    }
}

/// The same for what follows a stream: it goes on from its own progress.
async fn until_stopped<E>(follow: impl Future<Output = Result<(), E>>, tasks: Tasks) -> Result<(), TaskError>
where
    TaskError: From<E>,
{
    tokio::select! {
        ended = follow => Ok(ended?),
        _ = tasks.shutdown_requested() => Ok(()),
    }
}

/// Destroys, now and then, what was kept for a time only: originals of redacted events, answered transactions, messages to devices that
/// are gone. What fails keeps none of the others from it.
async fn forget(
    db: Db,
    clock: Clock,
    to_device: ToDevice,
    sync: Syncing,
    every: Duration,
) -> Result<(), TaskError> {
    loop {
        let originals = redaction::destroy_originals(&db, clock.now()).await;
        let transactions = transactions::forget_old(&db, clock.now()).await;
        // Before that of messages, which strikes devices off the list of those that are gone.
        let connections = sync.sweep().await;
        let messages = to_device.sweep().await;
        originals?;
        transactions?;
        connections?;
        messages?;
        clock.sleep(every).await;
    }
}

/// Deletes, now and then, the key backups of accounts that have ended.
async fn forget_backups(backups: KeyBackups, clock: Clock, every: Duration) -> Result<(), TaskError> {
    loop {
        backups.sweep().await?;
        clock.sleep(every).await;
    }
}

/// Deletes, now and then, files that have had their time.
async fn sweep_media(media: Media, clock: Clock, every: Duration) -> Result<(), TaskError> {
    loop {
        media.sweep().await?;
/// Until the process stops; what is then unsent is due still.
async fn send_delayed(delayed: Delayed, tasks: Tasks) -> Result<(), TaskError> {
    tokio::select! {
        ended = delayed.run() => Ok(ended?),
        _ = tasks.shutdown_requested() => Ok(()),
    }
}

/// Forgets, now and then, what became of delayed events long ago.
async fn forget_delayed(delayed: Delayed, clock: Clock, every: Duration) -> Result<(), TaskError> {
    loop {
        delayed.sweep().await?;
        clock.sleep(every).await;
    }
}

fn delay_limits(config: &Config) -> Limits {
    let rooms = &config.rooms;
    Limits {
        max_delay: Duration::from_secs(u64::from(rooms.delayed_events_max_hours) * 60 * 60),
        max_scheduled: usize::try_from(rooms.delayed_events_per_user.get()).unwrap_or(usize::MAX),
    }
}

fn room_parameters(config: &Config) -> RoomParameters {
    RoomParameters {
        event_cache_bytes: bytes(config.caches.events_mib),
        view_bytes: usize::try_from(bytes(config.caches.rooms_mib)).unwrap_or(usize::MAX),
        redaction_retention: days(config.rooms.keep_redacted_days),
    }
}

/// The index stands beside the database, under its name.
fn search_parameters(config: &Config) -> SearchParameters {
    let database = &config.database.path;
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push("-search");
    let language = Language::named(config.search.language.name()).unwrap_or_default();
    SearchParameters { place: Place::Folder(database.with_file_name(name)), language }
}

fn directory_parameters(config: &Config) -> DirectoryParameters {
    DirectoryParameters { shows_all_local_users: config.user_directory.all_local_users }
}

fn account_parameters(config: &Config) -> Parameters {
    let costs = &config.passwords;
    let limits = &config.limits;
    let rate = |often| limits::attempts(limits, often);
    Parameters {
        passwords: PasswordCost {
            memory_kib: costs.memory_kib.get(),
            iterations: costs.iterations.get(),
            parallelism: costs.parallelism.get(),
            concurrent_hashes: costs.concurrent_hashes.get(),
        },
        registration: match config.registration.mode {
            sections::RegistrationMode::Closed => RegistrationMode::Closed,
            sections::RegistrationMode::Token => RegistrationMode::Token,
            sections::RegistrationMode::Open => RegistrationMode::Open,
        },
        terms: policies(&config.registration),
        shared_secret: config.registration.shared_secret.as_ref().map(|secret| secret.reveal().into()),
        reserved_names: config
            .registration
            .reserved_names
            .iter()
            .map(|name| name.to_ascii_lowercase())
            .collect(),
        login_limits: LoginLimits {
            account: rate(limits.logins_to_account),
            address: rate(limits.logins_from_address),
            everyone: rate(limits.logins_of_all),
        },
        registration_limits: RegistrationLimits {
            address: rate(limits.registrations_from_address),
            everyone: rate(limits.registrations_of_all),
        },
        mail_limits: MailLimits {
            address: rate(limits.mails_to_address),
            network: rate(limits.mails_from_address),
            everyone: rate(limits.mails_of_all),
        },
        ..Parameters::default()
    }
}

fn policies(config: &sections::Registration) -> Vec<Policy> {
    let text = |text: &sections::PolicyText| PolicyText { name: text.name.clone(), url: text.url.clone() };
    let policy = |(id, policy): (&String, &sections::Policy)| Policy {
        id: id.clone(),
        version: policy.version.clone(),
        translations: policy.translations.iter().map(|(code, shown)| (code.clone(), text(shown))).collect(),
    };
    config.terms.iter().map(policy).collect()
}

fn bytes(mib: NonZeroU64) -> u64 {
    mib.get().saturating_mul(1 << 20)
}

fn days(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * 24 * 60 * 60)
}
