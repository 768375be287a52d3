//! What sections refuse: values that parse and cannot be meant.

use super::{file, keys, load};
use crate::sections::MailEncryption;

#[test]
fn terms_of_service_have_a_version_and_a_name_and_an_address_in_some_language() {
    let file = r#"
        [registration.terms.privacy_policy]
        version = "1.0"
        en = { name = "Privacy policy", url = "https://example.org/privacy-1.0.html" }
    "#;
    let config = load(file, &[]).unwrap();
    let policy = &config.registration.terms["privacy_policy"];
    assert_eq!((policy.version.as_str(), policy.translations["en"].name.as_str()), ("1.0", "Privacy policy"));
    let table = r#"{ a = { version = "1", en = { name = "A", url = "http://e.example/a" } } }"#;
    assert_eq!(load("", &[("PLOP_REGISTRATION__TERMS", table)]).unwrap().registration.terms.len(), 1);
    for (table, key) in [
        (r#"{ a = { version = "1" } }"#, "registration.terms.a"),
        (
            r#"{ a = { version = "", en = { name = "A", url = "http://e.example/" } } }"#,
            "registration.terms.a",
        ),
        (
            r#"{ a = { version = "1", en = { name = "A", url = "javascript:a()" } } }"#,
            "registration.terms.a.en",
        ),
    ] {
        assert!(load("", &[("PLOP_REGISTRATION__TERMS", table)]).unwrap_err().at(key), "{table}");
    }
    assert!(load("", &[("PLOP_REGISTRATION__TERMS", r#"{ a = { en = {} } }"#)]).is_err());
}

#[test]
fn mails_need_an_address_to_come_from_and_links_that_lead_here() {
    let with = |rest: &str| {
        let server = "[server]\npublic_url = \"https://m.example.org\"\n";
        load(&format!("{server}[mail]\nhost = \"mail.example.org\"\n{rest}"), &[])
    };
    let config = with("from = \"noreply@example.org\"").unwrap();
    assert_eq!((config.mail.port, config.mail.encryption), (587, MailEncryption::StartTls));
    for (rest, key) in [
        ("", "mail.from"),
        ("from = \"example.org\"", "mail.from"),
        ("from = \"Plop <noreply@example.org>\"", "mail.from"),
        ("from = \"a@example.org\"\nuser = \"a\"", "mail.user"),
        ("from = \"a@example.org\"\nfrom_name = \"a\\nb\"", "mail.from_name"),
        ("from = \"a@example.org\"\nnext_links = [\"app.example.org\"]", "mail.next_links"),
    ] {
        assert!(with(rest).unwrap_err().at(key), "{rest}");
    }
    assert!(load("[mail]\nhost = \"a\"\nfrom = \"a@example.org\"", &[]).unwrap_err().at("mail.host"));
    assert!(load("[registration]\nemail = \"required\"", &[]).unwrap_err().at("registration.email"));
    let secret = file("4711\n");
    let path = secret.path().display();
    let login = format!("from = \"a@example.org\"\nuser = \"a\"\npassword_file = \"{path}\"");
    assert_eq!(with(&login).unwrap().mail.password.unwrap().reveal(), "4711");
}

#[test]
fn a_rate_is_so_much_at_once_and_in_an_hour() {
    let config = load("[limits]\njoins = { at_once = 5, per_hour = 0 }", &[]).unwrap();
    assert_eq!((config.limits.joins.at_once, config.limits.joins.per_hour), (5, 0));
    let none = load("", &[("PLOP_LIMITS__SENDS", "{ at_once = 0, per_hour = 1 }")]);
    assert!(none.unwrap_err().at("limits.sends"));
    for wrong in ["{ at_once = 1 }", "{ at_once = 1, per_hour = 1, per_day = 1 }", "5"] {
        assert!(load("", &[("PLOP_LIMITS__SENDS", wrong)]).is_err(), "{wrong}");
    }
}

#[test]
fn calls_and_support_name_what_can_be_reached() {
    let text = r#"
        [calls]
        turn_uris = ["turn:turn.example.org?transport=udp", "stun:stun.example.org", "turn:"]
        turn_user = "relay"
        livekit_urls = ["https://calls.example.org", "calls.example.org"]
        [support]
        page = "example.org"
        admin_matrix_id = "admin"
        security_email = "security"
    "#;
    let problems = load(text, &[]).unwrap_err();
    let expected = [
        "calls.turn_uris",
        "calls.turn_uris",
        "calls.turn_user",
        "calls.livekit_urls",
        "support.page",
        "support.admin_matrix_id",
        "support.security_email",
    ];
    assert_eq!(keys(&problems), expected);
    let both = [
        ("PLOP_CALLS__TURN_SECRET", "a"),
        ("PLOP_CALLS__TURN_USER", "b"),
        ("PLOP_CALLS__TURN_PASSWORD", "c"),
    ];
    assert_eq!(keys(&load("", &both).unwrap_err()), ["calls.turn_secret"]);
    assert_eq!(keys(&load("", &[("PLOP_CALLS__TURN_SECRET", "")]).unwrap_err()), ["calls.turn_secret"]);
    let alone = [("PLOP_CALLS__TURN_URIS", r#"["turn:turn.example.org"]"#)];
    assert_eq!(keys(&load("", &alone).unwrap_err()), ["calls.turn_uris"]);
    let whole = [alone.as_slice(), &[("PLOP_CALLS__TURN_SECRET", "a")]].concat();
    assert!(load("", &whole).is_ok());
}

#[test]
fn the_servers_user_has_a_name_that_can_be_one() {
    for (user, is_right) in
        [("server", true), ("notices.1", true), ("Server", false), ("", false), ("@a:b", false)]
    {
        let text = format!("[server_notices]\nuser = \"{user}\"");
        let loaded = load(&text, &[]);
        assert_eq!(loaded.is_ok(), is_right, "{user:?}");
    }
    let text = "[server_notices]\navatar_url = \"https://example.org/a.png\"\nroom_name = \"\"";
    let problems = load(text, &[]).unwrap_err();
    assert!(problems.at("server_notices.avatar_url") && problems.at("server_notices.room_name"));
}

#[test]
fn hosts_of_previews_are_names_and_nothing_more() {
    for name in ["example.org", "xn--mnchen-3ya.example", "10.0.0.1", "[::1]"] {
        assert!(load(&format!("[media]\npreview_denied_hosts = [\"{name}\"]"), &[]).is_ok(), "{name}");
    }
    for name in ["", "*.example.org", "example.org:80", "https://example.org", "example.org/x"] {
        let text =
            format!("[media]\npreview_denied_hosts = [\"{name}\"]\npreview_allowed_hosts = [\"{name}\"]");
        let problems = load(&text, &[]).unwrap_err();
        assert_eq!(keys(&problems), ["media.preview_allowed_hosts", "media.preview_denied_hosts"], "{name}");
    }
}
