//! The page behind the link of a mail that proves an e-mail address.
//!
//! Owns: the page. Does not own: its frame and headers ([`crate::page`]), the proof ([`plop_accounts::email_validation`]).
//!
//! Invariants: to look at the page changes nothing (programs that look at mails follow links); its button does.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use plop_accounts::Accounts;
use plop_accounts::email_validation::{EmailPurpose, Link, LinkError};
use serde::Deserialize;

use crate::error::ApiError;
use crate::extract::Query;
use crate::page::{Page, escaped, with_headers};

/// The path of the link, behind the address that clients reach this API at.
pub const EMAIL_LINK_PATH: &str = "/_matrix/client/unstable/plop/email/submit_token";

/// What the link carries.
#[derive(Deserialize)]
pub struct Token {
    sid: String,
    token: String,
}

/// `GET /_matrix/client/unstable/plop/email/submit_token` (this server's own). For who has got the mail.
pub async fn show(
    State(accounts): State<Accounts>,
    Query(token): Query<Token>,
) -> Result<Response, ApiError> {
    Ok(match accounts.email_link(&token.sid, &token.token) {
        Ok(link) => page(StatusCode::OK, &question(&link), true),
        Err(error) => refusal(error),
    })
}

/// `POST /_matrix/client/unstable/plop/email/submit_token` (this server's own). For who has got the mail.
pub async fn confirm(
    State(accounts): State<Accounts>,
    Query(token): Query<Token>,
) -> Result<Response, ApiError> {
    Ok(match accounts.confirm_email(&token.sid, &token.token) {
        Ok(Link { next_link: Some(next), .. }) => with_headers(Redirect::to(&next).into_response(), ""),
        Ok(_) => page(
            StatusCode::OK,
            "Your e-mail address is confirmed. Go back to the app and continue there.",
            false,
        ),
        Err(error) => refusal(error),
    })
}

fn question(link: &Link) -> String {
    let address = escaped(link.address.as_str());
    match (link.purpose, &link.user) {
        (EmailPurpose::Register, _) => {
            format!("Do you want to make an account with the e-mail address <b>{address}</b>?")
        }
        (EmailPurpose::AddAddress, _) => {
            format!("Do you want to add the e-mail address <b>{address}</b> to your account?")
        }
        (EmailPurpose::ResetPassword, user) => {
            let user = user.as_ref().map(|user| escaped(user.as_str())).unwrap_or_default();
            format!(
                "Somebody wants to set a new password for the account <b>{user}</b>. Confirm this only if it was you, just now: \
                 else you give your account away."
            )
        }
    }
}

fn refusal(error: LinkError) -> Response {
    match error {
        LinkError::Unknown => page(
            StatusCode::NOT_FOUND,
            "This link is not valid any more. Go back to the app and ask for another mail.",
            false,
        ),
    }
}

fn page(status: StatusCode, text: &str, asks: bool) -> Response {
    // Without an action the form goes to the page's own address.
    let button = if asks { "\n<form method=\"post\"><button>Confirm</button></form>" } else { "" };
    let content = &format!("<p>{text}</p>{button}");
    Page { status, title: "E-mail address", content, script: None, may: "" }.response()
}
