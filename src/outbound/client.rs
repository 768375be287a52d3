//! Requests and their limits.
//!
//! Owns: [`Client`]. Does not own: which addresses may be reached.
//!
//! Invariants: redirects are followed here, one by one, each looked at like the first address; the HTTP client follows none.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ipnet::IpNet;
use plop_base::Clock;
use reqwest::header::{ACCEPT, HeaderMap, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode, Url};

use crate::addresses::Guard;
use crate::resolver::{GuardedResolver, Lookup, NoOpenAddress, system};

/// Longest address that is asked for, in bytes.
pub const MAX_URL_BYTES: usize = 4_096;
/// Until a connection is there; the time limit of a request is usually longer.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a store that the administrator chose may say nothing.
const SILENCE: Duration = Duration::from_secs(30);
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(30);
/// Ports from 1024 on that speak something which a request could be abused for: names, files, mail, chat, X11, databases.
const CLOSED_PORTS: [u16; 21] = [
    1719, 1720, 1723, 2049, 3306, 3659, 4045, 4190, 5060, 5061, 5432, 6000, 6379, 6566, 6665, 6666, 6667,
    6668, 6669, 6697, 11211,
];

/// What an administrator chose.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Networks that may be reached although they are not public.
    pub open: Vec<IpNet>,
    /// Networks that may not, whatever else is said.
    pub closed: Vec<IpNet>,
}

/// How much one request may take, with all its redirects.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of the answer's body.
    pub bytes: usize,
    /// From the first request to the last byte.
    pub time: Duration,
    /// Most redirects that are followed.
    pub redirects: u8,
}

/// The guarded client. Cheap to clone.
#[derive(Clone)]
pub struct Client(Arc<Parts>);

struct Parts {
    http: reqwest::Client,
    guard: Guard,
    clock: Clock,
}

/// An answer whose head is here.
pub struct Answer {
    /// Where it came from, after redirects.
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    response: Response,
    clock: Clock,
    /// By the monotonic clock.
    ends: Duration,
    bytes_left: usize,
}

/// Why there is no answer, or no more of it.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("this is no address that can be asked for: {0}")]
    InvalidUrl(&'static str),
    #[error("this address may not be reached")]
    Forbidden,
    #[error("too many redirects")]
    TooManyRedirects,
    #[error("the answer is too large")]
    TooLarge,
    #[error("the answer did not come in time")]
    TooSlow,
    #[error("the request failed: {0}")]
    Failed(String),
}

/// The client cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be built: {0}")]
pub struct ClientError(String);

impl Client {
    /// A client that looks names up where the operating system does.
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, ClientError> {
        Self::with_lookup(settings, clock, Arc::new(system))
    }

    /// For tests: names are looked up by `lookup`, which may give other answers each time.
    #[doc(hidden)]
    pub fn with_names(
        settings: Settings,
        clock: Clock,
        lookup: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static,
    ) -> Result<Self, ClientError> {
        let addresses = move |name: &str| {
            Ok(lookup(name).into_iter().map(|address| SocketAddr::new(address, 0)).collect())
        };
        Self::with_lookup(settings, clock, Arc::new(addresses))
    }

    fn with_lookup(settings: Settings, clock: Clock, lookup: Arc<Lookup>) -> Result<Self, ClientError> {
        let guard = Guard::new(settings.open, settings.closed);
        let resolver = Arc::new(GuardedResolver::new(guard.clone(), lookup));
        let http = builder().and_then(|builder| {
            let built = builder.redirect(Policy::none()).dns_resolver(resolver).build();
            built.map_err(|error| ClientError(error.to_string()))
        })?;
        Ok(Self(Arc::new(Parts { http, guard, clock })))
    }

    /// Asks for `url`; `accept` is what the caller can use, as in the header of that name.
    pub async fn get(&self, url: &str, accept: &str, limits: Limits) -> Result<Answer, OutboundError> {
        self.get_where(&parse(url)?, accept, limits, |_| true).await
    }

    /// The same, where also the caller has a say in each address, those of redirects included.
    pub async fn get_where(
        &self,
        url: &Url,
        accept: &str,
        limits: Limits,
        allowed: impl Fn(&Url) -> bool,
    ) -> Result<Answer, OutboundError> {
        let clock = &self.0.clock;
        let ends = clock.monotonic().saturating_add(limits.time);
        let mut url = url.clone();
        let mut redirects = limits.redirects;
        loop {
            self.check(&url)?;
            if !allowed(&url) {
                return Err(OutboundError::Forbidden);
            }
            let request = self.0.http.get(url.clone()).header(ACCEPT, accept).send();
            let left = ends.saturating_sub(clock.monotonic());
            let response = clock.timeout(left, request).await.ok_or(OutboundError::TooSlow)?;
            let response = response.map_err(|error| failed(&error))?;
            match redirect(&url, &response)? {
                Some(_) if redirects == 0 => return Err(OutboundError::TooManyRedirects),
                Some(target) => {
                    redirects -= 1;
                    url = target;
                }
                None => {
                    return Ok(Answer {
                        url,
                        status: response.status(),
                        headers: response.headers().clone(),
                        response,
                        clock: clock.clone(),
                        ends,
                        bytes_left: limits.bytes,
                    });
                }
            }
        }
    }

    /// Scheme, port, credentials, and a literal address: the HTTP client connects to one without asking the resolver.
    fn check(&self, url: &Url) -> Result<(), OutboundError> {
        // What was escaped while it was parsed has become longer.
        if url.as_str().len() > MAX_URL_BYTES {
            return Err(OutboundError::InvalidUrl("it is too long"));
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OutboundError::InvalidUrl("only http and https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OutboundError::InvalidUrl("it names a user"));
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if !matches!(port, 80 | 443 | 1024..) || CLOSED_PORTS.contains(&port) {
            return Err(OutboundError::Forbidden);
        }
        let host = url.host_str().ok_or(OutboundError::InvalidUrl("it names no host"))?;
        // Parsing has made every way to write an IPv4 address (decimal, octal, hexadecimal) the usual one.
        match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) if !self.0.guard.allows(address) => Err(OutboundError::Forbidden),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// A client for addresses that the administrator wrote into the configuration: it reaches any network, and follows no redirects. It waits 30 s for the next
/// bytes of an answer.
pub fn trusted() -> Result<reqwest::Client, ClientError> {
    builder()?
        .redirect(Policy::none())
        .read_timeout(SILENCE)
        .build()
        .map_err(|error| ClientError(error.to_string()))
}

fn builder() -> Result<reqwest::ClientBuilder, ClientError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError(error.to_string()))?;
    let mut tls = tls.with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = [b"h2".as_slice(), b"http/1.1"].map(<[u8]>::to_vec).to_vec();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(2)
        .user_agent(concat!("Plop/", env!("CARGO_PKG_VERSION"), " (Matrix homeserver)")))
}

fn parse(text: &str) -> Result<Url, OutboundError> {
    if text.len() > MAX_URL_BYTES {
        return Err(OutboundError::InvalidUrl("it is too long"));
    }
    Url::parse(text).map_err(|_| OutboundError::InvalidUrl("it cannot be read"))
}

/// Where the answer sends on to.
fn redirect(from: &Url, response: &Response) -> Result<Option<Url>, OutboundError> {
    use StatusCode as S;
    let status = response.status();
    if !matches!(
        status,
        S::MOVED_PERMANENTLY | S::FOUND | S::SEE_OTHER | S::TEMPORARY_REDIRECT | S::PERMANENT_REDIRECT
    ) {
        return Ok(None);
    }
    let Some(target) = response.headers().get(LOCATION) else { return Ok(None) };
    let target = target.to_str().ok().filter(|target| target.len() <= MAX_URL_BYTES);
    let target = target.and_then(|target| from.join(target).ok());
    target.map(Some).ok_or(OutboundError::InvalidUrl("a redirect leads nowhere"))
}

fn failed(error: &reqwest::Error) -> OutboundError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut text = String::new();
    while let Some(error) = cause {
        if error.is::<NoOpenAddress>() {
            return OutboundError::Forbidden;
        }
        text = error.to_string();
        cause = error.source();
    }
    // The innermost cause: the outer ones repeat the address.
    if error.is_timeout() { OutboundError::TooSlow } else { OutboundError::Failed(text) }
}

impl Answer {
    /// The next part of the body; `None` at its end.
    pub async fn part(&mut self) -> Result<Option<Bytes>, OutboundError> {
        let left = self.ends.saturating_sub(self.clock.monotonic());
        let part = self.clock.timeout(left, self.response.chunk()).await.ok_or(OutboundError::TooSlow)?;
        let Some(part) = part.map_err(|error| failed(&error))? else { return Ok(None) };
        self.bytes_left = self.bytes_left.checked_sub(part.len()).ok_or(OutboundError::TooLarge)?;
        Ok(Some(part))
    }

    /// The whole body, within the limits.
    pub async fn whole(mut self) -> Result<Bytes, OutboundError> {
        let mut bytes = BytesMut::new();
        while let Some(part) = self.part().await? {
            bytes.extend_from_slice(&part);
        }
        Ok(bytes.freeze())
    }

    /// The body's beginning, as much as fits into `most`; the rest is not read.
    pub async fn beginning(mut self, most: usize) -> Result<Bytes, OutboundError> {
        let mut bytes = BytesMut::new();
        while bytes.len() < most {
            let Some(part) = self.part().await? else { break };
            bytes.extend_from_slice(&part);
        }
        bytes.truncate(most);
        Ok(bytes.freeze())
    }
}
