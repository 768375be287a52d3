//! `[client]`, `[federation]`, `[metrics]`: where the server listens.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::Problems;
use crate::schema::section;

section! {
    /// Addresses to listen on, with TLS or without.
    pub struct Listener {
        /// Addresses with ports; port 0 takes a free one, which the log tells. None: this listener is off.
        pub addresses: Vec<SocketAddr> = Vec::new(),
        /// The certificate chain (PEM), for TLS. Without it connections are plain, as behind a reverse proxy.
        pub tls_certificate_file: Option<PathBuf> = None,
        /// The certificate's private key (PEM).
        pub tls_key_file: Option<PathBuf> = None,
    }
}

impl Listener {
    /// Plain connections on these addresses.
    pub fn on(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self { addresses: addresses.into_iter().collect(), ..Self::default() }
    }

    /// Whether both are plain, or both present the same certificate.
    pub fn same_tls(&self, other: &Self) -> bool {
        self.tls_certificate_file == other.tls_certificate_file && self.tls_key_file == other.tls_key_file
    }

    /// Whether `address` is one of this listener's. Port 0 asks the system for a free port, so it is never the same.
    pub fn listens_on(&self, address: SocketAddr) -> bool {
        address.port() != 0 && self.addresses.contains(&address)
    }

    pub(crate) fn validate(&self, section: &str, problems: &mut Problems) {
        match (&self.tls_certificate_file, &self.tls_key_file) {
            (Some(_), None) => {
                problems.add(format!("{section}.tls_key_file"), "missing beside the certificate")
            }
            (None, Some(_)) => {
                problems.add(format!("{section}.tls_certificate_file"), "missing beside the key");
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
        for (index, address) in self.addresses.iter().enumerate() {
            let twice = self.addresses.iter().take(index).any(|earlier| earlier == address);
            if twice && address.port() != 0 {
                problems.add(format!("{section}.addresses"), format!("{address} is named twice"));
            }
        }
    }
}
