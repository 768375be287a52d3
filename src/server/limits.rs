//! Limits, from the configuration.
//!
//! Owns: what the limits of the parts are in `[limits]`. Does not own: what is limited.

use std::num::NonZeroU32;
use std::time::Duration;

use plop_base::buckets::Rate;
use plop_client_api::{ActionRates, BodyLimits, BudgetLimits};
use plop_config::sections::{Limits, Often};
use plop_rooms::InviteRates;

const HOUR: Duration = Duration::from_secs(60 * 60);
/// A bucket that is always full.
const UNLIMITED: Rate = Rate { burst: u32::MAX, interval: Duration::ZERO };

/// How often something may be tried that is limited whoever asks.
pub fn attempts(limits: &Limits, often: Often) -> Rate {
    limits.attempts.then(|| rate(often)).flatten().unwrap_or(UNLIMITED)
}

/// How large bodies may be.
pub fn bodies(limits: &Limits) -> BodyLimits {
    let bytes = |kib: u64| usize::try_from(kib.saturating_mul(1 << 10)).unwrap_or(usize::MAX);
    BodyLimits {
        user: bytes(limits.body_kib.get().into()),
        stranger: bytes(limits.stranger_body_kib.get().into()),
        all: bytes(u64::from(limits.bodies_mib.get()) << 10),
    }
}

/// What one user may take; `None` where nobody is limited.
pub fn budgets(limits: &Limits) -> Option<BudgetLimits> {
    let budget = |a_second: NonZeroU32, burst: NonZeroU32| Rate {
        burst: burst.get(),
        interval: Duration::from_secs(1) / a_second.get(),
    };
    limits.requests.then(|| BudgetLimits {
        writes: budget(limits.writes_per_second, limits.writes_at_once),
        reads: budget(limits.reads_per_second, limits.reads_at_once),
        strangers: budget(limits.stranger_reads_per_second, limits.stranger_reads_at_once),
        full_syncs: limits.full_syncs_at_once.get(),
        actions: ActionRates {
            sends: rate(limits.sends),
            room_creations: rate(limits.room_creations),
            joins: rate(limits.joins),
            invites: rate(limits.invites),
            reports: rate(limits.reports),
            searches: rate(limits.searches),
            user_directory: rate(limits.user_directory),
            uploads: rate(limits.uploads),
            previews: rate(limits.previews),
        },
    })
}

/// How many invitations there may be.
pub fn invites(limits: &Limits) -> InviteRates {
    let chosen = |often| limits.requests.then(|| rate(often)).flatten();
    InviteRates { to_user: chosen(limits.invites_to_user), to_room: chosen(limits.invites_to_room) }
}

/// `None` where it is switched off.
fn rate(often: Often) -> Option<Rate> {
    let interval = HOUR.checked_div(often.per_hour)?;
    Some(Rate { burst: often.at_once, interval })
}
