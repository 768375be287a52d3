//! Media of this process, built from its section of the configuration.
//!
//! Owns: what the section means to the part, and where the files are without one. Does not own: any decision of the part.

use std::path::PathBuf;
use std::time::Duration;

use plop_base::{Clock, Random};
use plop_config::Config;
use plop_config::sections::{self, IpNetwork};
use plop_db::Db;
use plop_media::{BlobError, BlobStore, Hosts, Media, Parts, Previewing, Quota, Retention, S3, Settings};
use plop_outbound::Client;

/// The name of the folder beside that of the database.
const FOLDER: &str = "media";

/// Opens the store of files, or makes it.
pub fn open(config: &Config, db: &Db, clock: &Clock, random: &Random) -> Result<Media, BlobError> {
    let parts = Parts {
        db: db.clone(),
        clock: clock.clone(),
        random: random.clone(),
        server: config.server.name.clone(),
        blobs: blobs(config)?,
        settings: settings(&config.media),
        previewing: previewing(config, clock)?,
    };
    Ok(Media::new(parts))
}

fn previewing(config: &Config, clock: &Clock) -> Result<Option<Previewing>, BlobError> {
    let section = &config.media;
    if !section.previews {
        return Ok(None);
    }
    let networks = |networks: &[IpNetwork]| networks.iter().map(|network| network.0).collect();
    let outbound = &config.outbound;
    let settings =
        plop_outbound::Settings { open: networks(&outbound.allow), closed: networks(&outbound.deny) };
    let allowed = &section.preview_allowed_hosts;
    Ok(Some(Previewing {
        client: Client::new(settings, clock.clone())?,
        allowed: (!allowed.is_empty()).then(|| Hosts::new(allowed)),
        denied: Hosts::new(&section.preview_denied_hosts),
        lifetime: Duration::from_secs(section.preview_hours.get().saturating_mul(60 * 60)),
        max_picture_bytes: u64::from(section.preview_pictures_mib.get()) << 20,
    }))
}

fn blobs(config: &Config) -> Result<BlobStore, BlobError> {
    let section = &config.media;
    match &section.s3_bucket {
        Some(bucket) => BlobStore::s3(&S3 {
            endpoint: section.s3_endpoint.clone(),
            region: section.s3_region.clone(),
            bucket: bucket.clone(),
            key_id: section.s3_key_id.clone().unwrap_or_default(),
            secret: section.s3_secret.as_ref().map(|secret| secret.reveal().to_owned()).unwrap_or_default(),
        }),
        None => BlobStore::folder(&folder(config), u64::from(section.keep_free_mib) << 20),
    }
}

/// The store as it is, for a look at it. A folder is not made: one that is not there holds nothing.
pub fn existing_blobs(config: &Config) -> Result<BlobStore, BlobError> {
    let in_folder = config.media.s3_bucket.is_none();
    if in_folder && !folder(config).exists() { Ok(BlobStore::memory()) } else { blobs(config) }
}

fn folder(config: &Config) -> PathBuf {
    config.media.path.clone().unwrap_or_else(|| config.database.path.with_file_name(FOLDER))
}

fn settings(section: &sections::Media) -> Settings {
    let days = |days: u32| Duration::from_secs(u64::from(days) * 24 * 60 * 60);
    Settings {
        max_upload: u64::from(section.max_upload_mib.get()) << 20,
        quota: Quota { bytes: u64::from(section.quota_mib) << 20, files: section.quota_files.into() },
        retention: Retention {
            uploads: (section.keep_unused_days > 0).then(|| days(section.keep_unused_days)),
        },
        max_pending: usize::try_from(section.pending_uploads.get()).unwrap_or(usize::MAX),
        pending_lifetime: Duration::from_secs(section.pending_hours.get().saturating_mul(60 * 60)),
        max_pixels: u64::from(section.thumbnail_megapixels.get()) * 1_000_000,
        decoders: usize::try_from(section.thumbnail_threads.get()).unwrap_or(1),
    }
}
