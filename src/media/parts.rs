//! What all of it is done with.
//!
//! Owns: [`Media`] and what it is built from. Does not own: what is done: a file for each of these.

use std::sync::Arc;

use plop_base::blocking::BlockingPool;
use plop_base::shares::Shares;
use plop_base::{Clock, Random};
use plop_db::{Db, Guards};
use ruma::{OwnedServerName, OwnedUserId};
use tokio::sync::{Notify, Semaphore};

use crate::blobs::BlobStore;
use crate::flights::Flights;
use crate::schema::MediaKey;
use crate::settings::{Previewing, Settings};

/// Uploads at a time, of all users. With S3 each of them may hold 5 MiB, else 1 MiB.
const UPLOADS: usize = 64;
/// Requests for thumbnails that are not made yet, at a time.
const WAITING: usize = 256;
/// Previews that are being made, and those who wait for them. With S3 each of them may hold 5 MiB, else 1 MiB.
const PREVIEWS: usize = 64;
/// Those who wait for the same few files wake each other.
const ARRIVALS: usize = 64;

/// What media is built from.
pub struct Parts {
    pub db: Db,
    pub clock: Clock,
    pub random: Random,
    /// This server.
    pub server: OwnedServerName,
    pub blobs: BlobStore,
    pub settings: Settings,
    /// None: this server makes no previews of addresses.
    pub previewing: Option<Previewing>,
}

/// Media of one server. Cheap to clone.
#[derive(Clone)]
pub struct Media(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub db: Db,
    pub clock: Clock,
    pub random: Random,
    pub server: OwnedServerName,
    pub blobs: BlobStore,
    pub settings: Settings,
    /// By user: what a user has is counted by one at a time.
    pub counting: Guards,
    pub uploads: Arc<Semaphore>,
    pub uploads_of_user: Shares<OwnedUserId>,
    /// Woken when a file that was waited for is there, by its id.
    arrivals: Vec<Notify>,
    pub decoders: BlockingPool,
    /// By file: what is made of it, and its end.
    pub thumbnails: Flights<MediaKey>,
    pub previewer: Option<Previewer>,
    /// Those who wait for a thumbnail that is not made yet.
    pub waiting: Semaphore,
}

/// What previews are made with.
pub(crate) struct Previewer {
    pub chosen: Previewing,
    /// By the hash of the address.
    pub turns: Flights<[u8; 32]>,
    /// Of those who wait for a preview that is not made yet.
    pub places: Semaphore,
    pub of_user: Shares<OwnedUserId>,
}

impl Previewer {
    fn new(chosen: Previewing) -> Self {
        let (turns, of_user) = Default::default();
        Self { chosen, turns, places: Semaphore::new(PREVIEWS), of_user }
    }
}

impl Media {
    pub fn new(parts: Parts) -> Self {
        let Parts { db, clock, random, server, blobs, settings, previewing } = parts;
        let (counting, uploads_of_user) = Default::default();
        let decoders = BlockingPool::new(settings.decoders);
        Self(Arc::new(Inner {
            db,
            clock,
            random,
            server,
            blobs,
            settings,
            counting,
            uploads: Arc::new(Semaphore::new(UPLOADS)),
            uploads_of_user,
            arrivals: (0..ARRIVALS).map(|_| Notify::new()).collect(),
            decoders,
            previewer: previewing.map(Previewer::new),
            thumbnails: Flights::default(),
            waiting: Semaphore::new(WAITING),
        }))
    }

    /// The server whose files these are.
    pub fn server(&self) -> &OwnedServerName {
        &self.0.server
    }

    /// The largest file that is taken, in bytes.
    pub fn max_upload(&self) -> u64 {
        self.0.settings.max_upload
    }

    /// Where those wait who want a file that is announced.
    pub(crate) fn arrival(&self, id: &str) -> &Notify {
        let [first, ..] = *blake3::hash(id.as_bytes()).as_bytes();
        &self.0.arrivals[usize::from(first) % ARRIVALS]
    }
}
