//! Pages for clients that do not know a stage of interactive authentication (client-server API, "Fallback"), or a kind of login ("Login Fallback").
//!
//! Owns: the pages. Does not own: their frame ([`crate::page`]), the stages ([`plop_accounts::uia_fallback`]).
//!
//! Invariants: to look at a page completes nothing, its button does. No cookies are involved: who can press the button knows the session's id, and could as
//! well submit the stage through the API, so another site's form gains nothing. The id is in the page's address and nowhere in its text.

mod login;
mod stage;
mod texts;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    const STAGE: &str = "/_matrix/client/v3/auth/{authType}/fallback/web";
    Routes::new()
        .get(STAGE, stage::show)
        .post(STAGE, stage::complete)
        .get("/_matrix/static/client/login/", login::show)
}
