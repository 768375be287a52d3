//! Mails, to a mail server that the test plays.

use std::net::Ipv4Addr;
use std::time::Duration;

use plop_accounts::email_address::EmailAddress;
use plop_accounts::mailer::{Mail, MailText, Mailer as _, TooManyMails};
use plop_base::{Clock, Random, UnixMillis};
use plop_mail::{Credentials, Delivery, Encryption, SmtpMailer, SmtpSettings, UnusableSettings, smtp};
use ruma::{owned_server_name, owned_user_id};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

fn settings(port: u16) -> SmtpSettings {
    SmtpSettings {
        host: "127.0.0.1".to_owned(),
        port,
        encryption: Encryption::Plain,
        login: None,
        from: "noreply@plop.example".to_owned(),
        from_name: "Plop".to_owned(),
        timeout: Duration::from_secs(20),
        again_after: [Duration::ZERO; 2],
        server: owned_server_name!("plop.example"),
    }
}

fn mailer(settings: SmtpSettings) -> (SmtpMailer, Delivery) {
    smtp(settings, Clock::simulated(UnixMillis(1_700_000_000_000)), Random::seeded(1)).expect("a mailer")
}

fn mail(to: &str) -> Mail {
    let link = "https://plop.example/submit?sid=1&token=2".to_owned();
    let says = MailText::ConfirmPasswordReset { user: owned_user_id!("@alice:plop.example"), link };
    Mail { to: EmailAddress::parse(to).expect("an address"), says }
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// Takes one mail from a connection, answering `RCPT` as told. Gives what the client said.
async fn converse(stream: TcpStream, rcpt: &str) -> Vec<String> {
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    let mut said = Vec::new();
    writing.write_all(b"220 mail\r\n").await.expect("written");
    let mut in_data = false;
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match line.get(..4).unwrap_or(&line) {
            "." if in_data => {
                in_data = false;
                "250 taken"
            }
            _ if in_data => "",
            "EHLO" => "250-mail\r\n250 AUTH PLAIN",
            "AUTH" => "235 yes",
            "MAIL" => "250 yes",
            "RCPT" => rcpt,
            "DATA" => {
                in_data = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            _ => "250 yes",
        };
        said.push(line);
        if !answer.is_empty() {
            writing.write_all(format!("{answer}\r\n").as_bytes()).await.expect("written");
        }
    }
    said
}

#[tokio::test]
async fn a_mail_has_both_forms_and_only_the_headers_that_it_should() {
    let (listener, port) = listener().await;
    let login = Some(Credentials::new("plop".to_owned(), "secret".to_owned()));
    let (mailer, delivery) = mailer(SmtpSettings { login, ..settings(port) });
    mailer.post(mail("Bob@Example.com")).expect("posted");
    drop(mailer);
    let server = async {
        let (stream, _) = listener.accept().await.expect("a connection");
        converse(stream, "250 yes").await
    };
    let (said, ()) = tokio::join!(server, delivery.run());
    let text = said.join("\n");
    for line in [
        "MAIL FROM:<noreply@plop.example>",
        "RCPT TO:<bob@example.com>",
        "To: bob@example.com",
        "Subject: A new password on plop.example",
        "Date: Tue, 14 Nov 2023 22:13:20 +0000",
        "Content-Type: multipart/alternative;",
    ] {
        assert!(said.iter().any(|said| said.starts_with(line)), "{line}\n{text}");
    }
    assert!(text.contains("AUTH PLAIN"), "{text}");
    assert!(
        said.iter().any(|line| line.starts_with("From: ") && line.ends_with("<noreply@plop.example>")),
        "{text}"
    );
    assert!(
        said.iter().any(|line| line.starts_with("Message-ID: <") && line.ends_with("@plop.example>")),
        "{text}"
    );
    assert!(text.contains("text/plain") && text.contains("text/html"), "{text}");
}

/// Whoever reads the log learns neither who has an account nor how to get into it.
#[tokio::test]
async fn what_is_refused_for_a_moment_is_tried_again_and_what_is_refused_is_not() {
    let (listener, port) = listener().await;
    let (mailer, delivery) = mailer(settings(port));
    for name in ["busy", "unknown", "bob"] {
        mailer.post(mail(&format!("{name}@example.com"))).expect("posted");
    }
    drop(mailer);
    let server = async {
        let mut recipients = Vec::new();
        for answer in ["451 later", "451 later", "250 yes", "550 nobody", "250 yes"] {
            let (stream, _) = listener.accept().await.expect("a connection");
            let said = converse(stream, answer).await;
            recipients.extend(said.into_iter().filter(|line| line.starts_with("RCPT")));
        }
        recipients
    };
    let (recipients, ()) = tokio::join!(server, delivery.run());
    let busy = "RCPT TO:<busy@example.com>";
    let (unknown, bob) = ("RCPT TO:<unknown@example.com>", "RCPT TO:<bob@example.com>");
    assert_eq!(recipients, [busy, busy, busy, unknown, bob]);
}

#[tokio::test]
async fn the_queue_has_an_end() {
    let (mailer, _delivery) = mailer(settings(9));
    let posted = (0..1_000).take_while(|_| mailer.post(mail("bob@example.com")).is_ok()).count();
    assert_eq!(posted, 200);
    assert_eq!(mailer.post(mail("bob@example.com")), Err(TooManyMails));
}

#[tokio::test]
async fn an_address_to_send_from_is_needed() {
    for from in ["", "plop", "a@b\r\nBcc: eve@example.com", "Plop <noreply@plop.example>"] {
        let settings = SmtpSettings { from: from.to_owned(), ..settings(9) };
        let made = smtp(settings, Clock::simulated(UnixMillis(0)), Random::seeded(1));
        assert!(matches!(made, Err(UnusableSettings::From(_))), "{from}");
    }
}
