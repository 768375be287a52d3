//! Rank 5: the client-server API.
//!
//! Owns: the endpoints that clients call, as tables of routes, one for each chapter of the specification; what a request must prove
//! ([`extract`]); how outcomes of the domain become answers ([`error`], [`errors`]).
//!
//! Does not own: any decision. A handler reads a request, authorises it, makes one domain call, and shapes the answer. What surrounds every
//! request (its id, CORS, the log, figures) belongs to the composition root.
//!
//! Invariants: a path that is not in a table is not there (`404 M_UNRECOGNIZED`); an endpoint that is there does what it says; errors are mapped
//! once, exhaustively; the log gets internal causes, the client does not.

mod account;
mod account_data;
pub mod actions;
mod administration;
mod answer;
pub mod api;
pub mod budgets;
mod calls;
mod delayed;
mod devices;
mod discovery;
mod ephemeral;
pub mod error;
mod errors;
mod events;
pub mod extract;
mod fallback;
pub mod kept;
mod keys;
mod media;
mod page;
mod parts;
mod presence;
mod profile;
mod push_rules;
mod pushers;
mod registration;
mod reporting;
mod room_keys;
mod rooms;
pub mod routes;
mod search;
mod session;
mod syncing;
mod threads;
mod to_device;
mod user_directory;

use axum::Router;

pub use account::email_link::EMAIL_LINK_PATH;
pub use actions::{Action, ActionRates};
pub use api::{Api, Contact, Settings};
pub use budgets::{BudgetLimits, Budgets};
pub use calls::transports::{Transport, Transports};
pub use calls::turn::{Turn, TurnAccess};
pub use error::ApiError;
pub use extract::{Bodies, BodyLimits, ClientAddress};
pub use kept::Kept;
use routes::Routes;

/// Every endpoint, chapter by chapter.
pub fn table() -> Routes {
    discovery::routes()
        .and(session::routes())
        .and(registration::routes())
        .and(fallback::routes())
        .and(account::routes())
        .and(administration::routes())
        .and(devices::routes())
        .and(profile::routes())
        .and(account_data::routes())
        .and(push_rules::routes())
        .and(pushers::routes())
        .and(presence::routes())
        .and(syncing::routes())
        .and(rooms::routes())
        .and(events::routes())
        .and(threads::routes())
        .and(delayed::routes())
        .and(calls::routes())
        .and(reporting::routes())
        .and(ephemeral::routes())
        .and(to_device::routes())
        .and(room_keys::routes())
        .and(keys::routes())
        .and(media::routes())
        .and(user_directory::routes())
        .and(search::routes())
}

/// The endpoints, to be put behind a listener. Requests carry their [`ClientAddress`] as an extension.
pub fn router(api: Api) -> Router {
    table().into_router().with_state(api)
}
