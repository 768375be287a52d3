//! The composition root: builds every part top to bottom, runs them, and takes them down.
//!
//! Owns: the order of start and stop. Does not own: what any part does.
//!
//! Invariants:
//! - parts get what they need as constructor arguments; nothing is looked up, nothing is set later;
//! - what may refuse the start without the database comes before it, and the database gets the server's name when nothing refuses
//!   the start any more; a server that opened its database always closes it;
//! - the stop is the start backwards: listeners, connections, tasks, database.

mod accept;
mod calls;
mod client_address;
pub mod database;
mod domain;
mod health;
mod limits;
mod listener_api;
mod logging;
mod mail;
pub mod media;
mod metrics;
mod middleware;
mod parameters;
mod places;
mod responses;
mod router;
mod signals;
mod support;
mod tls;
mod work;

use std::time::Duration;

use plop_base::{Clock, Exit, Random, TaskKind, Tasks};
use plop_config::Config;
use plop_db::Db;
use plop_rooms::identity::IdentityError;
use tracing::{error, info, warn};

use accept::{Acceptor, Bound, Listener};
use domain::{Domain, DomainError};
use health::Health;
use metrics::Metrics;
use middleware::Layers;
use router::Routers;

/// From the request to stop until what still runs is dropped. A supervisor's usual limit is 10 s; what is left of them
/// is for closing the database.
const DRAIN: Duration = Duration::from_secs(8);

/// Serves until somebody asks the process to stop. `accept_lost_writes`: open the database although its log lost writes
/// that were acknowledged. `announce` tells the person at the terminal, and no log, how the first user registers.
pub fn run(config: &Config, accept_lost_writes: bool, announce: fn(&str)) -> Exit {
    logging::start(&config.logging);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "cannot start the runtime");
            return Exit::Failed;
        }
    };
    let served = runtime.block_on(serve(config, accept_lost_writes, announce));
    let exit = served.unwrap_or_else(|refusal| refusal);
    info!(?exit, "ended");
    exit
}

async fn serve(config: &Config, accept_lost_writes: bool, announce: fn(&str)) -> Result<Exit, Exit> {
    let clock = Clock::system();
    let random = Random::system();
    let tasks = Tasks::new(clock.clone(), random.clone());
    let metrics = Metrics::install().map_err(|error| refused(Exit::Failed, "metrics", &error))?;
    signals::stop_on_signal(&tasks).map_err(|error| refused(Exit::Failed, "signals", &error))?;
    let listeners = bind(config)?;

    let db = database::open(&config.database, accept_lost_writes, &random)
        .map_err(|error| refused(Exit::DatabaseRefused, "database", &error))?;
    tasks.spawn(TaskKind::Store, "store", database::keep_writable(&db, &clock));
    tasks.spawn(TaskKind::Maintenance, "metrics upkeep", metrics.upkeep(&clock, &db));

    let process = Process { config, clock, random, tasks: tasks.clone(), metrics, db: db.clone() };
    let served = process.serve(listeners, announce).await;
    // Of a start that was refused; else they have ended.
    tasks.stop(DRAIN).await;
    db.close().await;
    served
}

/// What everything above the database is built with.
struct Process<'c> {
    config: &'c Config,
    clock: Clock,
    random: Random,
    tasks: Tasks,
    metrics: Metrics,
    db: Db,
}

impl Process<'_> {
    /// Builds the parts, serves until somebody asks the process to stop, and lets the requests finish.
    async fn serve(self, listeners: Vec<Bound>, announce: fn(&str)) -> Result<Exit, Exit> {
        let Self { config, clock, random, tasks, metrics, db } = self;
        let domain = Domain::open(config, &db, &clock, &random, &tasks).await;
        let domain = domain.map_err(|error| domain_refused(&error))?;
        let token = domain.first_registration_token(config).await.map_err(|error| domain_refused(&error))?;
        domain.claim(config, &db).await.map_err(|error| domain_refused(&error))?;
        work::spawn(&domain, config, &tasks, &db, &clock);

        let routers = Routers {
            health: Health::new(tasks.clone(), db.state()),
            metrics,
            client: plop_client_api::router(domain.client_api(config, &clock)),
            federation: plop_federation_inbound::router(domain.accounts.clone()),
            layers: Layers::new(config, &clock, &random),
        };
        let acceptor = Acceptor::new(config, &clock, &tasks);
        for listener in listeners {
            let serves = listener.serves().iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
            info!(address = %listener.address(), serves, tls = listener.is_tls(), "listening");
            let app = routers.of(listener.serves());
            tasks.spawn_once(TaskKind::Listener, serves, acceptor.clone().accept(listener, app));
        }
        info!(
            server_name = %config.server.name,
            version = env!("CARGO_PKG_VERSION"),
            after_ms = clock.monotonic().as_millis(),
            "ready"
        );
        if let Some(token) = token {
            announce(&token);
        }
        let exit = tasks.shutdown_requested().await;
        info!(running = tasks.running().len(), "stopping");
        for task in tasks.stop(DRAIN).await {
            warn!(%task, "dropped: it was not finished in time");
        }
        domain.save().await;
        Ok(exit)
    }
}

/// Takes every address of the configuration. Who connects already waits in the kernel until the rest is built.
fn bind(config: &Config) -> Result<Vec<Bound>, Exit> {
    let listeners =
        router::listeners(config).map_err(|error| refused(Exit::ListenerRefused, "certificate", &error))?;
    let bind = |listener: Listener| {
        let address = listener.address;
        Bound::new(listener)
            .map_err(|error| refused(Exit::ListenerRefused, &format!("listener {address}"), &error))
    };
    listeners.into_iter().map(bind).collect()
}

/// A database of another server is refused like any other foreign one.
fn domain_refused(error: &DomainError) -> Exit {
    let exit = match error {
        DomainError::Identity(IdentityError::OtherServer { .. }) => Exit::DatabaseRefused,
        DomainError::Identity(_)
        | DomainError::States(_)
        | DomainError::Rooms(_)
        | DomainError::Passwords(_)
        | DomainError::Mail(_)
        | DomainError::Accounts(_)
        | DomainError::Media(_)
        | DomainError::Search(_) => Exit::Failed,
    };
    refused(exit, "what is in the database", error)
}

fn refused(exit: Exit, what: &str, error: &dyn std::fmt::Display) -> Exit {
    error!(%error, "cannot start: {what}");
    exit
}
