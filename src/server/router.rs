//! What is served where.
//!
//! Owns: the table of listeners made from the configuration, and which APIs each of them serves. The routes of each API
//! are its chapter's own.
//!
//! Invariant: an address that several sections name is one listener that serves all of them.

use axum::Router;
use plop_config::Config;

use super::accept::Listener;
use super::health::Health;
use super::listener_api::ListenerApi;
use super::metrics::Metrics;
use super::middleware::Layers;
use super::tls::{self, TlsError};

/// Every address of the configuration with what it serves.
pub fn listeners(config: &Config) -> Result<Vec<Listener>, TlsError> {
    let table = [
        (ListenerApi::Client, &config.client),
        (ListenerApi::Federation, &config.federation),
        (ListenerApi::Metrics, &config.metrics),
    ];
    let mut listeners: Vec<Listener> = Vec::new();
    for (api, section) in table {
        let tls = tls::acceptor(section)?;
        for &address in &section.addresses {
            // Only these two sections may share, and then have the same certificate: the configuration was checked.
            let shared = config.client.listens_on(address) && config.federation.listens_on(address);
            match listeners.iter_mut().find(|listener| shared && listener.address == address) {
                Some(listener) => listener.serves.push(api),
                None => listeners.push(Listener { serves: vec![api], address, tls: tls.clone() }),
            }
        }
    }
    Ok(listeners)
}

/// The routes of each API, and the layers around them.
pub struct Routers {
    pub health: Health,
    pub metrics: Metrics,
    pub client: Router,
    pub federation: Router,
    pub layers: Layers,
}

impl Routers {
    /// The routes of `apis`, inside the layers.
    pub fn of(&self, apis: &[ListenerApi]) -> Router {
        let routes = apis.iter().fold(Router::new(), |routes, api| {
            routes.merge(match api {
                ListenerApi::Client => self.client.clone().merge(self.health.routes()),
                ListenerApi::Federation => self.federation.clone(),
                ListenerApi::Metrics => self.health.routes().merge(self.metrics.routes()),
            })
        });
        self.layers.around(routes)
    }
}
