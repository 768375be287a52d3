//! Mails by SMTP.
//!
//! Owns: the queue, the connection, what is tried again. Does not own: what mails say ([`crate::words`]).
//!
//! Invariants: nobody waits for a mail; the queue is bounded, and what is in it is lost with the process (who asked for the mail asks again). A server that does
//! not answer holds one mail up for a bounded time. Neither addresses nor links are logged.

use std::time::Duration;

use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::Error as SmtpError;
pub use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::response::{Code, Severity};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use plop_accounts::mailer::{Mail, Mailer, TooManyMails};
use plop_base::{Clock, Random};
use ruma::OwnedServerName;
use tokio::sync::mpsc;

use crate::words::Words;

/// At a second a mail, the last one is a few minutes late.
const MOST_WAITING: usize = 200;
/// Pauses before a mail is tried again that the server did not take for a moment. A mail server of one's own takes mails and has the patience with others
/// that this one does not need.
pub const AGAIN_AFTER: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(15)];

/// 143 bits: no two mails have the same id.
const ID_CHARACTERS: usize = 24;

/// How connections to the mail server are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// From the first byte.
    Tls,
    /// Begun by a command, and required.
    StartTls,
    /// Not at all: for a server on this machine.
    Plain,
}

/// The mail server, and in whose name it gets mails.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    pub host: String,
    pub port: u16,
    pub encryption: Encryption,
    pub login: Option<Credentials>,
    /// The address that mails come from.
    pub from: String,
    /// The name beside it.
    pub from_name: String,
    /// For each step of a conversation with the server, and twice as long for the whole.
    pub timeout: Duration,
    /// [`AGAIN_AFTER`].
    pub again_after: [Duration; 2],
    /// This server's name, for the mails' words.
    pub server: OwnedServerName,
}

/// Settings with which no mail can be sent.
#[derive(Debug, thiserror::Error)]
pub enum UnusableSettings {
    #[error("`{0}` is not an address to send mails from")]
    From(String),
    #[error("TLS to the mail server: {0}")]
    Tls(SmtpError),
}

/// Takes mails.
#[derive(Clone, Debug)]
pub struct SmtpMailer(mpsc::Sender<Mail>);

impl Mailer for SmtpMailer {
    fn post(&self, mail: Mail) -> Result<(), TooManyMails> {
        self.0.try_send(mail).map_err(|_| TooManyMails)
    }
}

/// Sends what was posted.
pub struct Delivery {
    waiting: mpsc::Receiver<Mail>,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
    again_after: [Duration; 2],
    server: OwnedServerName,
    clock: Clock,
    random: Random,
}

/// A mailer and its delivery, which the composition root runs.
pub fn smtp(
    settings: SmtpSettings,
    clock: Clock,
    random: Random,
) -> Result<(SmtpMailer, Delivery), UnusableSettings> {
    let SmtpSettings { host, port, encryption, login, from, from_name, timeout, again_after, server } =
        settings;
    let Ok(address) = from.parse::<Address>() else { return Err(UnusableSettings::From(from)) };
    let tls = || TlsParameters::new_rustls(host.clone()).map_err(UnusableSettings::Tls);
    let tls = match encryption {
        Encryption::Tls => Tls::Wrapper(tls()?),
        Encryption::StartTls => Tls::Required(tls()?),
        Encryption::Plain => Tls::None,
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(port)
        .tls(tls)
        .timeout(Some(timeout));
    if let Some(login) = login {
        transport = transport.credentials(login);
    }
    let (posted, waiting) = mpsc::channel(MOST_WAITING);
    let from = Mailbox::new((!from_name.is_empty()).then_some(from_name), address);
    let delivery =
        Delivery { waiting, transport: transport.build(), from, timeout, again_after, server, clock, random };
    Ok((SmtpMailer(posted), delivery))
}

/// Why a mail was not taken.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("it cannot be made: {0}")]
    Message(#[from] lettre::error::Error),
    /// The server's words may have the address in them.
    #[error("the mail server answered {0}")]
    Refused(Code),
    #[error("{0}")]
    Connection(SmtpError),
    #[error("the mail server did not answer in time")]
    Late,
}

impl Failure {
    fn is_final(&self) -> bool {
        match self {
            Self::Message(_) => true,
            Self::Refused(code) => code.severity == Severity::PermanentNegativeCompletion,
            Self::Connection(_) | Self::Late => false,
        }
    }
}

impl From<SmtpError> for Failure {
    fn from(error: SmtpError) -> Self {
        match error.status() {
            Some(code) => Self::Refused(code),
            None => Self::Connection(error),
        }
    }
}

impl Delivery {
    /// Sends mails until nobody can post one any more.
    pub async fn run(mut self) {
        while let Some(mail) = self.waiting.recv().await {
            if let Err(failure) = self.send(&mail).await {
                tracing::error!(%failure, "a mail was not sent");
            }
        }
    }

    async fn send(&self, mail: &Mail) -> Result<(), Failure> {
        let message = self.message(mail)?;
        let mut pauses = self.again_after.into_iter();
        loop {
            let failure = match self.try_once(message.clone()).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            let Some(pause) = pauses.next().filter(|_| !failure.is_final()) else { return Err(failure) };
            tracing::warn!(%failure, "a mail is tried again");
            self.clock.sleep(pause).await;
        }
    }

    async fn try_once(&self, message: Message) -> Result<(), Failure> {
        match self.clock.timeout(self.timeout * 2, self.transport.send(message)).await {
            Some(sent) => Ok(sent.map(drop)?),
            None => Err(Failure::Late),
        }
    }

    fn message(&self, mail: &Mail) -> Result<Message, Failure> {
        let to = mail.to.as_str().parse::<Address>().map_err(|_| lettre::error::Error::MissingTo)?;
        let Words { subject, text, html } = Words::of(&mail.says, &self.server);
        let id = format!("<{}@{}>", self.random.token(ID_CHARACTERS), self.server.host());
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .date(std::time::UNIX_EPOCH + Duration::from_millis(self.clock.now().0))
            .message_id(Some(id))
            .subject(subject)
            .multipart(MultiPart::alternative_plain_html(text, html))?;
        Ok(message)
    }
}
