//! What the parts' parameters are in the configuration.
//!
//! Owns: the translation, section by section. Does not own: the keys and their defaults ([`plop_config`]), what the parts make of them; limits, media
//! and mails, which have files of their own.

use std::num::NonZeroU64;
use std::time::Duration;

use plop_accounts::Parameters;
use plop_accounts::parameters::{
    GuestParameters, LoginLimits, MailLimits, RegistrationLimits, RegistrationMode,
};
use plop_accounts::passwords::PasswordCost;
use plop_accounts::profile::MemberProfile;
use plop_accounts::terms::{Policy, PolicyText};
use plop_config::{Config, sections};
use plop_delayed::Limits;
use plop_directory::DirectoryParameters;
use plop_moderation::notices::{NoticeSettings, server_user};
use plop_rooms::RoomParameters;
use plop_search::language::Language;
use plop_search::{Place, SearchParameters};
use plop_state_store::CacheBytes;

use super::limits;

pub fn state_caches(config: &Config) -> CacheBytes {
    let caches = &config.caches;
    CacheBytes { nodes: bytes(caches.states_mib), links: bytes(caches.auth_chains_mib) }
}

pub fn delays(config: &Config) -> Limits {
    let rooms = &config.rooms;
    Limits {
        max_delay: Duration::from_secs(u64::from(rooms.delayed_events_max_hours) * 60 * 60),
        max_scheduled: usize::try_from(rooms.delayed_events_per_user.get()).unwrap_or(usize::MAX),
    }
}

pub fn rooms(config: &Config) -> RoomParameters {
    RoomParameters {
        event_cache_bytes: bytes(config.caches.events_mib),
        view_bytes: usize::try_from(bytes(config.caches.rooms_mib)).unwrap_or(usize::MAX),
        redaction_retention: days(config.rooms.keep_redacted_days),
        notices_user: notices(config).map(|settings| settings.user),
        invites: limits::invites(&config.limits),
    }
}

/// Server notices; `None` where no user is named to send them. The configuration was checked: a name that is there is one.
pub fn notices(config: &Config) -> Option<NoticeSettings> {
    let notices = &config.server_notices;
    Some(NoticeSettings {
        user: server_user(notices.user.as_deref()?, &config.server.name)?,
        profile: MemberProfile {
            displayname: Some(notices.display_name.clone()),
            avatar_url: notices.avatar_url.clone(),
        },
        room_name: notices.room_name.clone(),
        room_avatar_url: notices.room_avatar_url.clone(),
        room_version: config.server.default_room_version.clone(),
    })
}

/// The index stands beside the database, under its name.
pub fn search(config: &Config) -> SearchParameters {
    let database = &config.database.path;
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push("-search");
    let language = Language::named(config.search.language.name()).unwrap_or_default();
    SearchParameters { place: Place::Folder(database.with_file_name(name)), language }
}

pub fn directory(config: &Config) -> DirectoryParameters {
    DirectoryParameters { shows_all_local_users: config.user_directory.all_local_users }
}

pub fn accounts(config: &Config) -> Parameters {
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
            .chain(&config.server_notices.user)
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
        guests: GuestParameters {
            are_admitted: config.registration.guests,
            limits: RegistrationLimits {
                address: rate(limits.guests_from_address),
                everyone: rate(limits.guests_of_all),
            },
            lifetime: days(config.registration.guest_idle_days.get()),
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
