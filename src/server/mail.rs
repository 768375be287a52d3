//! Mails, from the configuration: where they are sent from, and what they are for.
//!
//! Owns: what the parameters of mails are in the configuration; the task that sends. Does not own: what is mailed ([`plop_accounts`]), how ([`plop_mail`]).

use std::sync::Arc;
use std::time::Duration;

use plop_accounts::parameters::{EmailAtRegistration, EmailParameters};
use plop_base::{Clock, Random, TaskKind, Tasks};
use plop_client_api::EMAIL_LINK_PATH;
use plop_config::{Config, sections};
use plop_mail::{AGAIN_AFTER, Credentials, Encryption, SmtpSettings, UnusableSettings, smtp};

/// What accounts do with mails, and the task that sends them; `None` where no mail server is named.
pub fn email(
    config: &Config,
    clock: &Clock,
    random: &Random,
    tasks: &Tasks,
) -> Result<Option<EmailParameters>, UnusableSettings> {
    let mail = &config.mail;
    // The configuration was checked: what is absent here would be refused as no address.
    let (Some(host), Some(public_url)) = (&mail.host, &config.server.public_url) else { return Ok(None) };
    let login = mail.user.as_ref().zip(mail.password.as_ref());
    let settings = SmtpSettings {
        host: host.clone(),
        port: mail.port,
        encryption: match mail.encryption {
            sections::MailEncryption::StartTls => Encryption::StartTls,
            sections::MailEncryption::Tls => Encryption::Tls,
            sections::MailEncryption::None => Encryption::Plain,
        },
        login: login.map(|(user, password)| Credentials::new(user.clone(), password.reveal().to_owned())),
        from: mail.from.clone().unwrap_or_default(),
        from_name: mail.from_name.clone(),
        timeout: Duration::from_secs(mail.timeout_seconds.get()),
        again_after: AGAIN_AFTER,
        server: config.server.name.clone(),
    };
    let (mailer, delivery) = smtp(settings, clock.clone(), random.clone())?;
    tasks.spawn_once(TaskKind::Maintenance, "mails", async move {
        delivery.run().await;
        Ok(())
    });
    Ok(Some(EmailParameters {
        mailer: Arc::new(mailer),
        link_base: format!("{}{EMAIL_LINK_PATH}", public_url.trim_end_matches('/')),
        link_lifetime: Duration::from_secs(mail.link_minutes.get().saturating_mul(60)),
        hides_accounts: mail.hide_accounts,
        next_links: mail.next_links.clone(),
        at_registration: match config.registration.email {
            sections::EmailAtRegistration::Off => EmailAtRegistration::Off,
            sections::EmailAtRegistration::Optional => EmailAtRegistration::Optional,
            sections::EmailAtRegistration::Required => EmailAtRegistration::Required,
        },
    }))
}
