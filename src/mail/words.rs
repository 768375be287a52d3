//! What mails say, as text and as HTML.
//!
//! Owns: the words. Does not own: when which is sent ([`plop_accounts`]).
//!
//! Invariants: both forms say the same; what others chose (a user's id, an address) is escaped in HTML and is never in a header; nothing is loaded from
//! anywhere.

use plop_accounts::mailer::MailText;
use ruma::ServerName;

/// A mail's words.
pub struct Words {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// A paragraph.
enum Part {
    Says(String),
    Link(String),
}

impl Words {
    /// What a mail of this server says.
    pub fn of(says: &MailText, server: &ServerName) -> Self {
        let (subject, parts) = match says {
            MailText::ConfirmRegistration { link } => (
                format!("Confirm your e-mail address for {server}"),
                vec![
                    Part::Says(format!(
                        "Somebody, probably you, is making an account on {server} with this e-mail address. To confirm that it is \
                         yours, follow this link:"
                    )),
                    Part::Link(link.clone()),
                    nothing_to_do("no account is made with your address"),
                ],
            ),
            MailText::ConfirmAddress { link } => (
                format!("Confirm your e-mail address for {server}"),
                vec![
                    Part::Says(format!(
                        "Somebody, probably you, is adding this e-mail address to an account on {server}. To confirm that it is \
                         yours, follow this link:"
                    )),
                    Part::Link(link.clone()),
                    nothing_to_do("your address is not added to any account"),
                ],
            ),
            MailText::ConfirmPasswordReset { user, link } => (
                format!("A new password on {server}"),
                vec![
                    Part::Says(format!(
                        "Somebody, probably you, wants to set a new password for the account {user} on {server}. To allow it, follow \
                         this link:"
                    )),
                    Part::Link(link.clone()),
                    nothing_to_do("the password stays as it is"),
                ],
            ),
            MailText::AddressInUse { user } => (
                format!("Your e-mail address on {server}"),
                vec![
                    Part::Says(format!(
                        "Somebody, probably you, gave this e-mail address for an account on {server}. It belongs to the account \
                         {user} already. If you have forgotten that account's password, you can set a new one: choose \"forgot \
                         password\" where you log in."
                    )),
                    nothing_to_do("nothing changes"),
                ],
            ),
            MailText::AddressUnknown => (
                format!("Your e-mail address on {server}"),
                vec![
                    Part::Says(format!(
                        "Somebody, probably you, wants to set a new password on {server}, but no account there has this e-mail \
                         address. Perhaps your account has another one."
                    )),
                    nothing_to_do("nothing changes"),
                ],
            ),
        };
        Self { subject, text: text(&parts), html: html(&parts) }
    }
}

fn nothing_to_do(then: &str) -> Part {
    Part::Says(format!("If it was not you, there is nothing to do: {then}."))
}

fn text(parts: &[Part]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .map(|part| match part {
            Part::Says(text) | Part::Link(text) => text.as_str(),
        })
        .collect();
    parts.join("\n\n") + "\n"
}

fn html(parts: &[Part]) -> String {
    let parts = parts.iter().map(|part| match part {
        Part::Says(text) => format!("<p>{}</p>\n", escaped(text)),
        Part::Link(link) => {
            let link = escaped(link);
            format!("<p><a href=\"{link}\">{link}</a></p>\n")
        }
    });
    let body: String = parts.collect();
    format!("<!DOCTYPE html>\n<html lang=\"en\">\n<body>\n{body}</body>\n</html>\n")
}

/// As the text of an element or the value of an attribute.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, character| {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use ruma::{OwnedUserId, server_name};

    use super::*;

    const LINK: &str = "https://m.example/submit?sid=1&token=2";

    fn all(user: &OwnedUserId) -> [Words; 5] {
        let link = || LINK.to_owned();
        [
            MailText::ConfirmRegistration { link: link() },
            MailText::ConfirmAddress { link: link() },
            MailText::ConfirmPasswordReset { user: user.clone(), link: link() },
            MailText::AddressInUse { user: user.clone() },
            MailText::AddressUnknown,
        ]
        .map(|says| Words::of(&says, server_name!("plop.example")))
    }

    /// Ids of before today's grammar have other characters.
    #[test]
    fn what_others_chose_is_text_in_a_mail_and_no_html() {
        let user = OwnedUserId::try_from("@<b>\"'&amp;:plop.example").expect("a historical id");
        for words in all(&user) {
            assert!(!words.html.contains("<b>") && !words.html.contains("\"'"), "{}", words.html);
            assert!(
                !words.subject.contains('@') && !words.subject.contains(['\r', '\n']),
                "{}",
                words.subject
            );
        }
        let [_, _, reset, ..] = all(&user);
        assert!(reset.text.contains("@<b>\"'&amp;:plop.example"));
        assert!(reset.html.contains("@&lt;b&gt;&quot;&#39;&amp;amp;:plop.example"));
    }

    #[test]
    fn links_are_in_both_forms() {
        let user = OwnedUserId::try_from("@alice:plop.example").expect("an id");
        let linked = all(&user).into_iter().filter(|words| words.text.contains(LINK)).count();
        assert_eq!(linked, 3);
        let escaped = "<a href=\"https://m.example/submit?sid=1&amp;token=2\">";
        assert_eq!(all(&user).iter().filter(|words| words.html.contains(escaped)).count(), 3);
    }
}
