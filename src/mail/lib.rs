//! Rank 4: mails to users, by SMTP.
//!
//! Owns: the words of mails (`words`) and their way (`smtp`). Does not own: when one is sent and to whom: [`plop_accounts`] says so, through the
//! trait [`Mailer`](plop_accounts::mailer::Mailer) that it owns.

mod smtp;
mod words;

pub use smtp::{
    AGAIN_AFTER, Credentials, Delivery, Encryption, SmtpMailer, SmtpSettings, UnusableSettings, smtp,
};
