//! What an administrator may choose about rooms. Filled in by the composition root from the configuration.

use std::time::Duration;

use crate::invitations::InviteRates;
use ruma::OwnedUserId;

/// All of it.
#[derive(Clone, Debug)]
pub struct RoomParameters {
    /// Memory for decoded events, in bytes.
    pub event_cache_bytes: u64,
    /// Memory for pictures of rooms, in bytes.
    pub view_bytes: usize,
    /// How long the original of a redacted event is kept.
    pub redaction_retention: Duration,
    /// Whose invitations cannot be rejected (client-server API, "Server Notices").
    pub notices_user: Option<OwnedUserId>,
    /// How many invitations there may be.
    pub invites: InviteRates,
}

/// Small ones, as tests want them; the composition root gives all.
impl Default for RoomParameters {
    fn default() -> Self {
        const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
        Self {
            event_cache_bytes: 1 << 20,
            view_bytes: 1 << 24,
            redaction_retention: WEEK,
            notices_user: None,
            invites: InviteRates::default(),
        }
    }
}
