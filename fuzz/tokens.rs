//! Tokens that clients hand back: any text is read without error or damage, and a token that is read is the one that was given out.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use plop_rooms::reader::token::HistoryToken;
use plop_sync::{PageToken, SyncToken};

/// Takes what a client calls a token.
pub fn target(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let one_form = one_form::<SyncToken>(text) || one_form::<HistoryToken>(text);
    assert_eq!(text.parse::<PageToken>().is_ok(), one_form);
}

/// Whether `text` is such a token; then no other text is the same one.
fn one_form<T: FromStr + Display + Debug>(text: &str) -> bool {
    let Ok(token) = text.parse::<T>() else { return false };
    assert_eq!(token.to_string(), text);
    true
}
