//! Push rules (client-server API, "Push Rules: API"), and of what they notified.
//!
//! Owns: nothing but the forms. Does not own: what a rule may be, where it goes, how many there may be ([`plop_accounts::push_rules`]).

mod notifications;
mod parts;
mod rule;
mod rulesets;

use crate::budgets::PAGE;
use crate::routes::Routes;

/// The chapter's endpoints. The lists are asked for with and without the slash.
pub fn routes() -> Routes {
    Routes::new()
        .costly_get("/_matrix/client/v3/notifications", PAGE, notifications::list)
        .get("/_matrix/client/v3/pushrules", rulesets::all)
        .get("/_matrix/client/v3/pushrules/", rulesets::all)
        .get("/_matrix/client/v3/pushrules/global", rulesets::global)
        .get("/_matrix/client/v3/pushrules/global/", rulesets::global)
        .get("/_matrix/client/v3/pushrules/global/{kind}/{ruleId}", rule::read)
        .put("/_matrix/client/v3/pushrules/global/{kind}/{ruleId}", rule::put)
        .delete("/_matrix/client/v3/pushrules/global/{kind}/{ruleId}", rule::delete)
        .get("/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled", parts::enabled)
        .put("/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled", parts::set_enabled)
        .get("/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions", parts::actions)
        .put("/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions", parts::set_actions)
}
