//! `[server]`: who this server is.

use std::net::IpAddr;

use ipnet::IpNet;
use ruma::room_version_rules::RoomVersionDisposition;
use ruma::{OwnedServerName, RoomVersionId, ServerName, owned_server_name};
use serde::{Deserialize, Serialize};

use crate::Problems;
use crate::schema::section;

section! {
    /// Who this server is.
    pub struct Server {
        /// The name in user ids and room ids: `@alice:example.org`. It can be changed until there is a user or
        /// a room, and then never. A server that others can reach needs one of its own.
        pub name: OwnedServerName = owned_server_name!("localhost"),
        /// Where clients reach this server, for example "https://matrix.example.org". Clients are told at login and at
        /// `/.well-known/matrix/client`, and then use it; without it they stay with the address they have.
        pub public_url: Option<String> = None,
        /// The version of rooms that are created without naming one: "1" to "12".
        pub default_room_version: RoomVersionId = RoomVersionId::V12,
        /// Networks of reverse proxies that are believed when they say where a request comes from, for example "127.0.0.1/32".
        /// Anybody else who says so is taken for a client at the address it connects from.
        pub trusted_proxies: Vec<IpNetwork> = Vec::new(),
        /// In which header they say it: "x-forwarded-for" or "forwarded" (RFC 7239). The other one is not looked at: proxies pass
        /// on what a client wrote into it.
        pub proxy_header: ProxyHeader = ProxyHeader::XForwardedFor,
    }
}

impl Server {
    pub(crate) fn validate(&self, problems: &mut Problems) {
        if self
            .default_room_version
            .rules()
            .is_none_or(|rules| !matches!(rules.disposition, RoomVersionDisposition::Stable))
        {
            let text = format!("version {} is none of \"1\" to \"12\"", self.default_room_version);
            problems.add("server.default_room_version", text);
        }
        if let Some(url) = self.public_url.as_ref().filter(|url| !is_base_url(url)) {
            problems.add(
                "server.public_url",
                format!("`{url}` is no address such as https://matrix.example.org"),
            );
        }
    }

    /// Whether nobody has chosen a name.
    pub(crate) fn is_unnamed(&self) -> bool {
        self.name == Self::default().name
    }

    /// Whether `address` belongs to a reverse proxy of the admin's.
    pub fn trusts_proxy(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.0.contains(&address.to_canonical()))
    }
}

/// Whether clients can put their paths behind `text`: scheme, host, perhaps a port and a path.
pub(super) fn is_base_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    ServerName::parse(host).is_ok()
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte))
}

/// The header in which proxies say where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    XForwardedFor,
    Forwarded,
}

/// A range of addresses, `10.0.0.0/8` or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IpNetwork(pub IpNet);

impl TryFrom<String> for IpNetwork {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        let network = address
            .or_else(|_| text.parse())
            .map_err(|_| format!("`{text}` is neither an address nor a network such as 10.0.0.0/8"))?;
        Ok(Self(network))
    }
}

impl From<IpNetwork> for String {
    fn from(network: IpNetwork) -> Self {
        network.0.to_string()
    }
}
