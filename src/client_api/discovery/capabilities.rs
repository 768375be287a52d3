//! `GET /v3/capabilities`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use plop_accounts::Accounts;
use plop_delayed::Delayed;
use plop_state::version;
use serde_json::{Value, json};

use crate::api::Settings;
use crate::extract::{Json, Session};

/// `GET /_matrix/client/v3/capabilities` (client-server API, "Capabilities negotiation"). For users.
///
/// ruma's type leaves out what clients should assume anyway; older ones do not, and `m.set_displayname` is to be said where
/// `m.profile_fields` is.
pub async fn capabilities(
    State(settings): State<Arc<Settings>>,
    State(delayed): State<Delayed>,
    State(accounts): State<Accounts>,
    session: Session,
) -> Json<Value> {
    let limits = delayed.limits();
    let delays = json!({
        "max_delay_ms": u64::try_from(limits.max_delay.as_millis()).unwrap_or(u64::MAX),
        "max_scheduled": limits.max_scheduled,
    });
    let stable = version::ALL.iter().map(|rules| (rules.version.as_str(), "stable"));
    let proposed = version::PROPOSED.iter().map(|rules| (rules.version.as_str(), "unstable"));
    let mut answer = json!({
        "capabilities": {
            "m.3pid_changes": { "enabled": accounts.sends_mails() },
            "m.change_password": { "enabled": true },
            "m.delayed_events": delays,
            "m.forget_forced_upon_leave": { "enabled": false },
            "m.get_login_token": { "enabled": true },
            "m.profile_fields": { "enabled": true },
            "m.room_versions": {
                "available": stable.chain(proposed).collect::<BTreeMap<_, _>>(),
                "default": settings.default_room_version,
            },
            "m.set_avatar_url": { "enabled": true },
            "m.set_displayname": { "enabled": true },
            "org.matrix.msc4140.delayed_events": delays,
        }
    });
    if session.is_admin() {
        answer["capabilities"]["m.account_moderation"] = json!({ "lock": true, "suspend": true });
    }
    Json(answer)
}
