//! E-mail addresses in their canonical form (appendices, "E-Mail").
//!
//! Owns: what is taken as an address. Does not own: whose it is, whether mails reach it.
//!
//! Invariants: an address is one of ASCII characters and in lower case, so no two that look alike are different ones, and none becomes another when a
//! mail server or a database folds its case; it has no character that ends a header, quotes, or adds a second address.

use plop_db::transparent;

/// Longest address in bytes (RFC 5321, section 4.5.3.1.3: a path of 256 with its brackets).
pub const MAX_EMAIL_BYTES: usize = 254;
/// Longest part before the `@` in bytes (RFC 5321, section 4.5.3.1.1).
const MAX_LOCAL_BYTES: usize = 64;
const MAX_LABEL_BYTES: usize = 63;

/// An address in its canonical form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

transparent! { EmailAddress }

/// A text that is no address, or one of the rare forms that are not taken: quoted names, addresses of machines, characters beyond ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address")]
pub struct NoEmailAddress;

impl EmailAddress {
    /// The canonical form of an address.
    pub fn parse(text: &str) -> Result<Self, NoEmailAddress> {
        let address = text.to_ascii_lowercase();
        let (local, domain) = address.rsplit_once('@').ok_or(NoEmailAddress)?;
        let fits = address.len() <= MAX_EMAIL_BYTES && local.len() <= MAX_LOCAL_BYTES;
        if fits && local.split('.').all(is_atom) && domain.split('.').all(is_label) {
            Ok(Self(address))
        } else {
            Err(NoEmailAddress)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// RFC 5322, section 3.2.3.
fn is_atom(text: &str) -> bool {
    let is_text = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_text)
}

/// RFC 1123, section 2.1.
fn is_label(text: &str) -> bool {
    (1..=MAX_LABEL_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_their_case() {
        for (text, canonical) in [
            ("bob@Example.com", "bob@example.com"),
            ("Bob+Matrix@EXAMPLE.com", "bob+matrix@example.com"),
            ("o'neill@xn--bcher-kva.example", "o'neill@xn--bcher-kva.example"),
            ("root@localhost", "root@localhost"),
        ] {
            assert_eq!(EmailAddress::parse(text).as_ref().map(EmailAddress::as_str), Ok(canonical));
        }
    }

    #[test]
    fn b8_122_what_would_be_another_address_to_somebody_else_is_none() {
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}.com", "a.".repeat(130));
        for text in [
            "",
            "bob",
            "@example.com",
            "bob@",
            "bob@example.com.",
            "bob@.com",
            ".bob@example.com",
            "b..ob@example.com",
            "bob@a@example.com",
            "bob@-a.com",
            "bob@[192.0.2.1]",
            "\"b ob\"@example.com",
            "Bob <bob@example.com>",
            "bob@example.com,eve@example.com",
            "bob@example.com\r\nBcc: eve@example.com",
            "bob@example.com\0",
            "mıke@example.com",
            "mike@exampłe.com",
            "strauß@example.com",
            &long,
            &longer,
        ] {
            assert_eq!(EmailAddress::parse(text), Err(NoEmailAddress), "{text:?}");
        }
    }
}
