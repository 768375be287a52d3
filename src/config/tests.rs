//! Where values come from, and which mistakes are reported.

mod sections;

use std::io::Write as _;
use std::path::PathBuf;

use ruma::{RoomVersionId, server_name};
use tempfile::NamedTempFile;

use crate::sections::{Durability, LogFormat, RegistrationMode};
use crate::{Config, Problems};

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn environment(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, Problems> {
    Config::load(Some(file(text).path()), environment(variables))
}

fn keys(problems: &Problems) -> Vec<&str> {
    problems.iter().map(|problem| problem.key.as_str()).collect()
}

#[test]
fn without_a_file_the_server_is_a_try_out_on_loopback() {
    let config = Config::load(None, environment(&[("PATH", "/bin"), ("PLOP_CONFIG", "x")])).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.server.name, server_name!("localhost"));
    assert_eq!(config.server.default_room_version, RoomVersionId::V12);
    assert_eq!(config.client.addresses, ["127.0.0.1:8008".parse().unwrap()]);
    assert!(config.client.addresses.iter().all(|address| address.ip().is_loopback()));
    assert_eq!(config.registration.mode, RegistrationMode::Token);
}

#[test]
fn the_file_overrides_the_defaults_and_the_environment_the_file() {
    let text = r#"
        [server]
        name = "example.org"
        default_room_version = "11"
        [database]
        path = "/from/file"
        cache_mib = 64
        durability = "process_crash"
    "#;
    let config = load(
        text,
        &[
            ("PLOP_DATABASE__PATH", "/from/environment"),
            ("PLOP_DATABASE__CACHE_MIB", "32"),
            ("PLOP_CLIENT__ADDRESSES", r#"["[::1]:80", "10.0.0.1:80"]"#),
            ("PLOP_LOGGING__FORMAT", "json"),
            ("PLOP_REGISTRATION__RESERVED_NAMES", r#"["postmaster"]"#),
        ],
    )
    .unwrap();
    assert_eq!(config.registration.reserved_names, ["postmaster"]);
    assert_eq!(config.server.name, server_name!("example.org"));
    assert_eq!(config.database.path, PathBuf::from("/from/environment"));
    assert_eq!(config.database.cache_mib.get(), 32);
    assert_eq!(config.database.durability, Durability::ProcessCrash);
    assert_eq!(config.client.addresses.len(), 2);
    assert_eq!(config.logging.format, LogFormat::Json);
}

#[test]
fn text_in_the_environment_needs_no_quotes_even_where_it_looks_like_something_else() {
    let config =
        load("", &[("PLOP_DATABASE__PATH", "12"), ("PLOP_SERVER__DEFAULT_ROOM_VERSION", "9")]).unwrap();
    assert_eq!(config.database.path, PathBuf::from("12"));
    assert_eq!(config.server.default_room_version, RoomVersionId::V9);
}

#[test]
fn all_mistakes_are_reported_at_once_with_their_keys() {
    let text = r#"
        [server]
        name = "not a name"
        nmae = "example.org"
        trusted_proxies = ["10.0.0.0/8", "10.0.0.0/99"]
        [database]
        cache_mib = 0
        [limits]
        connections = "many"
        [no_such_section]
        key = 1
    "#;
    let variables =
        &[("PLOP_LIMITS__BODY_KIB", "-5"), ("PLOP_SERVER__NAEM", "x"), ("PLOP_LOGGING__FORMAT", "xml")];
    let problems = load(text, variables).unwrap_err();
    assert_eq!(
        keys(&problems),
        [
            "server.name",
            "server.trusted_proxies",
            "server.nmae",
            "database.cache_mib",
            "PLOP_LOGGING__FORMAT",
            "limits.connections",
            "PLOP_LIMITS__BODY_KIB",
            "no_such_section",
            "PLOP_SERVER__NAEM",
        ]
    );
    assert_eq!(problems.to_string().lines().count(), 9, "one line each:\n{problems}");
}

#[test]
fn values_that_do_not_fit_together_are_all_reported() {
    let text = r#"
        [server]
        default_room_version = "13"
        [client]
        addresses = ["127.0.0.1:1", "127.0.0.1:1"]
        tls_certificate_file = "a.pem"
        [federation]
        addresses = ["127.0.0.1:1"]
        [metrics]
        addresses = ["127.0.0.1:1"]
        [logging]
        filter = "plop=shouting"
        [passwords]
        parallelism = 4096
    "#;
    let problems = load(text, &[]).unwrap_err();
    assert_eq!(
        keys(&problems),
        [
            "client.tls_key_file",
            "client.addresses",
            "federation.addresses",
            "metrics.addresses",
            "server.default_room_version",
            "logging.filter",
            "passwords.memory_kib",
        ]
    );
}

#[test]
fn a_server_that_others_can_reach_has_a_name_of_its_own() {
    let table = [
        ("client", "127.0.0.1:1", None, true),
        ("client", "[::1]:1", None, true),
        ("client", "0.0.0.0:1", None, false),
        ("client", "[::]:1", None, false),
        ("client", "10.0.0.1:1", None, false),
        ("federation", "0.0.0.0:1", None, false),
        // Not for users, and not for other servers.
        ("metrics", "0.0.0.0:1", None, true),
        ("client", "0.0.0.0:1", Some("localhost"), false),
        ("client", "0.0.0.0:1", Some("localhost:8008"), true),
        ("client", "0.0.0.0:1", Some("example.org"), true),
    ];
    for (section, address, name, fits) in table {
        let name = name.map(|name| format!("[server]\nname = {name:?}\n")).unwrap_or_default();
        let text = format!("{name}[{section}]\naddresses = [{address:?}]");
        let found = load(&text, &[]).map(drop).map_err(|problems| keys(&problems).join(" "));
        assert_eq!(found, if fits { Ok(()) } else { Err("server.name".to_owned()) }, "{text}");
    }
}

#[test]
fn a_public_url_is_what_paths_can_be_put_behind() {
    let table = [
        ("https://matrix.example.org", true),
        ("http://127.0.0.1:8008/", true),
        ("https://[::1]:8448/matrix", true),
        ("matrix.example.org", false),
        ("ftp://example.org", false),
        ("https:///matrix", false),
        ("https://example.org?a", false),
        ("https://example.org/?a", false),
        ("https://example.org/#a", false),
        ("https://user@example.org", false),
        ("https://example.org/a b", false),
        ("", false),
    ];
    for (url, fits) in table {
        let found = load("", &[("PLOP_SERVER__PUBLIC_URL", url)]).map(drop);
        let found = found.map_err(|problems| keys(&problems).join(" "));
        assert_eq!(found, if fits { Ok(()) } else { Err("server.public_url".to_owned()) }, "{url}");
    }
}

#[test]
fn federation_may_share_the_clients_addresses_under_one_certificate() {
    let text = r#"
        [client]
        addresses = ["127.0.0.1:1"]
        [federation]
        addresses = ["127.0.0.1:1", "127.0.0.1:2"]
    "#;
    assert!(load(text, &[]).is_ok());
}

#[test]
fn port_0_is_another_port_each_time() {
    let text = r#"
        [client]
        addresses = ["127.0.0.1:0", "127.0.0.1:0"]
        [federation]
        addresses = ["127.0.0.1:0"]
        tls_certificate_file = "cert.pem"
        tls_key_file = "key.pem"
        [metrics]
        addresses = ["127.0.0.1:0"]
    "#;
    assert!(load(text, &[]).is_ok());
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_a_mistake_and_not_the_defaults() {
    let problems = Config::load(Some("/no/such/file".as_ref()), []).unwrap_err();
    assert!(problems.at("/no/such/file"), "{problems}");
    assert!(load("[server", &[]).is_err());
    assert!(load("server = 1", &[]).unwrap_err().at("server"));
}

#[test]
fn a_secret_comes_from_its_file_and_is_never_shown() {
    let secret = file("correct horse\n");
    let path = secret.path().to_str().unwrap();
    for config in [
        load(&format!("[registration]\nshared_secret_file = {path:?}"), &[]).unwrap(),
        load("", &[("PLOP_REGISTRATION__SHARED_SECRET_FILE", path)]).unwrap(),
        load("[registration]\nshared_secret = 'correct horse'", &[]).unwrap(),
    ] {
        let revealed = config.registration.shared_secret.as_ref().map(|secret| secret.reveal());
        assert_eq!(revealed, Some("correct horse"));
        assert!(!format!("{config:?}").contains("horse"));
        assert!(!config.effective().contains("horse"));
        assert!(config.effective().contains("shared_secret = \"(secret)\""));
    }
}

#[test]
fn a_secret_that_is_given_twice_or_whose_file_is_empty_or_missing_is_a_mistake() {
    let empty = file("\n");
    let path = empty.path().to_str().unwrap();
    let of_file = |path: &str| load("", &[("PLOP_REGISTRATION__SHARED_SECRET_FILE", path)]);
    assert!(of_file(path).unwrap_err().at("PLOP_REGISTRATION__SHARED_SECRET_FILE"));
    assert!(of_file("/no/such/file").is_err());
    let twice =
        load("[registration]\nshared_secret = 'horse'", &[("PLOP_REGISTRATION__SHARED_SECRET_FILE", path)]);
    let problems = twice.unwrap_err();
    assert!(problems.at("registration.shared_secret"));
    assert!(!problems.to_string().contains("horse"));
}

#[test]
fn a_secret_of_a_wrong_type_is_not_repeated_in_the_report() {
    let problems = load("[registration]\nshared_secret = 4711", &[]).unwrap_err();
    assert!(problems.at("registration.shared_secret"));
    assert!(!problems.to_string().contains("4711"), "{problems}");
}

#[test]
fn the_example_with_every_key_switched_on_is_the_defaults() {
    let example = Config::example();
    let switched_on: String = example
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') && !setting.ends_with("\"...\"") => {
                format!("{setting}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    assert_eq!(load(&switched_on, &[]).unwrap(), Config::default(), "{switched_on}");
    assert_eq!(load(&example, &[]).unwrap(), Config::default());
    assert_eq!(load(&Config::default().effective(), &[]).unwrap(), Config::default());
}

#[test]
fn every_key_has_an_environment_variable_that_reaches_it() {
    let names = Config::environment_variables();
    assert!(names.len() > 20);
    for name in names {
        let unknown = match load("", &[(name.as_str(), "{ a = 1 }")]) {
            Ok(_) => false,
            Err(problems) => problems.iter().any(|problem| problem.text.starts_with("no key")),
        };
        assert!(!unknown, "{name}");
    }
    let problems = load("", &[("PLOP_SERVER__UNKNOWN", "1")]).unwrap_err();
    assert!(problems.iter().all(|problem| problem.text.starts_with("no key")), "{problems}");
}
