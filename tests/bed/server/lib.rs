//! What tests build servers with that have all parts below the entrances.
//!
//! Owns: [`Server`], which is to tests what `src/server/domain.rs` is to the process. Does not own: rooms and what users do in them
//! ([`plop_bed_rooms`]), the loops that parts run by themselves: only those of sync run, the rest is the suite's to start.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use plop_accounts::registration::NewAccount;
use plop_accounts::sessions::NewDevice;
use plop_accounts::{Accounts, Parameters};
use plop_base::{Actor, TaskKind, Tasks};
use plop_bed::{Ground, account, server};
use plop_bed_rooms::RoomBed;
use plop_db::KeyspaceInfo;
use plop_delayed::{Delayed, Limits};
use plop_directory::{Directory, DirectoryParameters};
use plop_e2ee::backup::KeyBackups;
use plop_e2ee::keys::Keys;
use plop_e2ee::to_device::ToDevice;
use plop_ephemeral::{Presence, ProcessStart, Receipts, Typing};
use plop_media::{BlobStore, Media};
use plop_moderation::reports::Reports;
use plop_rooms::InviteRates;
use plop_search::language::Language;
use plop_search::{Place, Search, SearchParameters};
use plop_sync::{Parts, SyncAnswer, Syncing};
use plop_unread::Unread;

/// A server as the entrances see it.
pub struct Server {
    pub tasks: Tasks,
    pub accounts: Accounts,
    pub delayed: Delayed,
    pub reports: Reports,
    pub receipts: Arc<Receipts>,
    pub typing: Arc<Typing>,
    pub presence: Arc<Presence>,
    pub to_device: ToDevice,
    pub key_backups: KeyBackups,
    pub keys: Keys,
    pub directory: Directory,
    pub search: Search,
    pub sync: Syncing,
    pub unread: Unread,
    pub media: Media,
    bed: RoomBed,
}

/// The rooms, and what is beside them.
impl Deref for Server {
    type Target = RoomBed;

    fn deref(&self) -> &RoomBed {
        &self.bed
    }
}

impl Server {
    pub async fn on(ground: Ground, parameters: Parameters) -> Self {
        let chosen = (parameters, InviteRates::default());
        Self::with_media(ground, chosen, BlobStore::memory(), plop_media::Settings::default(), None).await
    }

    /// The same with other media and limits of invitations.
    pub async fn with_media(
        ground: Ground,
        (parameters, invites): (Parameters, InviteRates),
        blobs: BlobStore,
        settings: plop_media::Settings,
        previewing: Option<plop_media::Previewing>,
    ) -> Self {
        let tasks = Tasks::new(ground.clock.clone(), ground.random.clone());
        let bed = RoomBed::limited(ground, invites).await;
        let Ground { db, clock, random } = bed.ground.clone();
        let accounts = plop_bed::accounts(&bed.ground, parameters);
        let start = ProcessStart(random.u64());
        let typing = Arc::new(Typing::new(clock.clone(), start));
        let presence = Arc::new(Presence::new(db.clone(), clock.clone(), start));
        let to_device = ToDevice::new(db.clone(), clock.clone(), server());
        let keys = Keys::new(db.clone(), accounts.clone(), server());
        let unread = Unread::new(bed.rooms.clone(), 1 << 20);
        let sync = Syncing::new(Parts {
            db: db.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            rooms: bed.rooms.clone(),
            accounts: accounts.clone(),
            typing: Arc::clone(&typing),
            presence: Arc::clone(&presence),
            to_device: to_device.clone(),
            unread: unread.clone(),
        });
        let follower = sync.clone();
        tasks.spawn(TaskKind::Follower, "sync", move || {
            let follower = follower.clone();
            async move { follower.run().await }
        });
        let follower = sync.clone();
        tasks.spawn(TaskKind::Follower, "sync of presence", move || {
            let follower = follower.clone();
            async move { follower.run_gathering().await }
        });
        let key_backups = KeyBackups::new(db.clone());
        let media = Media::new(plop_media::Parts {
            db: db.clone(),
            clock: bed.ground.clock.clone(),
            random,
            server: server(),
            blobs,
            settings,
            previewing,
        });
        let receipts = Arc::new(Receipts::new(db.clone()));
        let directory = Directory::new(db.clone(), server(), DirectoryParameters::default());
        let parameters = SearchParameters { place: Place::memory(), language: Language::default() };
        let search = Search::open(bed.rooms.clone(), bed.clock.clone(), parameters).await.expect("an index");
        let reports = Reports::new(db.clone(), clock.clone(), bed.rooms.clone());
        let limits = Limits { max_delay: Duration::from_secs(24 * 60 * 60), max_scheduled: 10 };
        let (rooms, people) = (bed.rooms.clone(), accounts.clone());
        let delayed = Delayed::new(db, clock, bed.random.clone(), rooms, people, limits);
        Self {
            tasks,
            accounts,
            delayed,
            reports,
            receipts,
            typing,
            presence,
            to_device,
            key_backups,
            keys,
            sync,
            unread,
            media,
            directory,
            search,
            bed,
        }
    }

    /// An account of this name without a password, logged in on the device that its actor has ([`plop_bed::user`]).
    pub async fn register(&self, name: &str) {
        let device = NewDevice { id: Some("DEVICE".into()), ..NewDevice::default() };
        let account = NewAccount { password: None, ..account(name, Some(device)) };
        self.accounts.create_account(&Actor::Server, account, false).await.expect("an account");
    }
}

/// The whole text of an answer of `/sync`.
pub async fn text(mut answer: SyncAnswer) -> String {
    let mut text = String::new();
    while let Some(part) = answer.part().await.expect("a part") {
        text.push_str(&part);
    }
    assert!(answer.is_over());
    text
}

/// The keyspaces of all parts.
pub fn keyspaces() -> Vec<KeyspaceInfo> {
    let others = [
        plop_ephemeral::schema::KEYSPACES,
        plop_e2ee::schema::KEYSPACES,
        plop_e2ee::backup::schema::KEYSPACES,
        plop_sync::sliding::schema::KEYSPACES,
        plop_media::schema::KEYSPACES,
        plop_directory::schema::KEYSPACES,
        plop_delayed::schema::KEYSPACES,
        plop_moderation::schema::KEYSPACES,
    ];
    [plop_bed_rooms::keyspaces(), others.concat()].concat()
}
