//! What the pages of the stages say.

use plop_accounts::terms::Policy;

use crate::page::escaped;

/// The language of the pages, which documents should have, too.
const LANGUAGE: &str = "en";

/// Where nothing is to be shown or typed in.
pub fn dummy() -> String {
    form("<p>Press the button to go on.</p>", "Continue")
}

/// The documents, and that they are accepted.
pub fn terms(policies: &[Policy]) -> String {
    let shown = policies.iter().filter_map(|policy| {
        let text = policy.translations.get(LANGUAGE).or_else(|| policy.translations.values().next())?;
        let (name, url) = (escaped(&text.name), escaped(&text.url));
        Some(format!("<li><a href=\"{url}\" target=\"_blank\" rel=\"noopener noreferrer\">{name}</a></li>\n"))
    });
    let list: String = shown.collect();
    form(&format!("<p>To go on, read and accept these:</p>\n<ul>\n{list}</ul>"), "Accept")
}

/// A registration token, to be typed in.
pub fn registration_token(refusal: Option<&str>) -> String {
    let input =
        "<p><label>Registration token<br><input name=\"token\" autocomplete=\"off\" required></label></p>";
    form(&format!("{}{input}", said(refusal)), "Continue")
}

/// An e-mail address, to be typed in.
pub fn address(refusal: Option<&str>) -> String {
    let input = "<p><label>E-mail address<br><input name=\"address\" type=\"email\" required></label></p>";
    form(&format!("{}{input}", said(refusal)), "Send a mail")
}

/// That the link of the mail is to be followed.
pub fn mail_sent(sid: &str, refusal: Option<&str>) -> String {
    let text = "<p>A mail is on its way. Follow its link, confirm, and then come back here.</p>";
    let hidden = format!("<input name=\"sid\" type=\"hidden\" value=\"{}\">", escaped(sid));
    let again = address(None);
    let go_on = form(&format!("{}{text}\n{hidden}", said(refusal)), "I have confirmed");
    format!("{go_on}\n<p>No mail has come?</p>\n{again}")
}

/// That nothing is left to do.
pub fn done() -> String {
    "<p>Thank you. You may close this window now, and go back to the app.</p>".to_owned()
}

/// That the page is no good.
pub fn gone() -> String {
    "<p>This page is not valid any more. Go back to the app and begin again.</p>".to_owned()
}

fn said(refusal: Option<&str>) -> String {
    refusal.map(|text| format!("<p role=\"alert\">{}</p>\n", escaped(text))).unwrap_or_default()
}

/// Without an action the form goes to the page's own address.
fn form(content: &str, button: &str) -> String {
    format!("<form method=\"post\">\n{content}\n<p><button>{button}</button></p>\n</form>")
}
