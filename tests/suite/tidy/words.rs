//! Words that must not be, or must be, somewhere in the code.

use std::fs;

use super::{Source, root, server_sources, sources};

/// The engine is exchangeable only as long as nobody else knows which one it is.
#[test]
fn nothing_outside_the_engine_names_rocksdb() {
    let outside = server_sources().into_iter().filter(|source| !source.path.starts_with("src/db/engine"));
    let found: Vec<String> = outside.flat_map(|source| source.mentions("rocksdb")).collect();
    assert_eq!(found, Vec::<String>::new());
}

/// The domain answers in its own words. Its manifests name no crate of HTTP; ruma would hand one on. The client for requests that leave speaks HTTP, and
/// answers nobody.
#[test]
fn nothing_below_rank_5_names_http() {
    let below = sources().into_iter().filter(|source| source.rank < 5 && source.package != "plop-outbound");
    let found: Vec<String> = below
        .flat_map(|source| ["exports::http", "StatusCode"].map(|word| source.mentions(word)).concat())
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

/// `pub` hides from the compiler what nobody uses; in an entrance, which only the composition root builds on, it can be seen.
#[test]
fn every_public_function_of_an_entrance_is_named_in_another_file() {
    let sources: Vec<Source> = server_sources().into_iter().filter(|source| source.rank >= 5).collect();
    let name = |line: &str| {
        let line = line.trim_start().strip_prefix("pub ")?;
        let rest = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
        Some(rest.split(['(', '<']).next().unwrap_or_default().to_owned())
    };
    let mut unused = Vec::new();
    for source in sources.iter().filter(|source| source.rank == 5) {
        for name in source.code().filter_map(|(_, line)| name(line)) {
            let mut others = sources.iter().filter(|other| other.path != source.path);
            if others.all(|other| other.mentions(&name).is_empty()) {
                unused.push(format!("{}: {name}", source.path));
            }
        }
    }
    assert_eq!(unused, Vec::<String>::new());
}

/// Rules about events are pure: the same in a test, a simulation and a fuzzer, and never slow because of a disk.
#[test]
fn the_pure_state_crate_awaits_nothing_and_reaches_nothing() {
    let mut found = Vec::new();
    for source in server_sources().iter().filter(|source| source.package == "plop-state") {
        for word in ["async", "await", "tokio", "plop_db", "Mutex", "std::fs", "std::net"] {
            found.extend(source.mentions(word));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

/// What is deferred is an issue, not a comment; what is unused is deleted.
#[test]
fn nothing_is_left_for_later_in_the_code() {
    const LEFT: [&str; 7] =
        ["TODO", "FIXME", "XXX", "todo!", "unimplemented!", "allow(dead_code)", "expect(dead_code)"];
    // This file has the words.
    for source in sources().iter().filter(|source| !source.path.ends_with("/tidy/words.rs")) {
        for left in LEFT {
            assert!(!source.text.contains(left), "{}: {left}", source.path);
        }
    }
}

/// A key that nothing reads is a promise that nobody keeps.
#[test]
fn every_configuration_key_is_read_outside_the_configuration() {
    let readers: Vec<Source> =
        server_sources().into_iter().filter(|source| source.package != "plop-config").collect();
    let example = fs::read_to_string(root().join("conf/plop.example.toml")).unwrap();
    let (mut section, mut unread) = ("", Vec::new());
    for line in example.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((key, _)) = line.strip_prefix('#').and_then(|line| line.split_once(" = ")) {
            let read = |source: &Source| !source.mentions(key).is_empty();
            if !key.contains(' ') && !readers.iter().any(read) {
                unread.push(format!("{section}.{key}"));
            }
        }
    }
    assert_eq!(unread, Vec::<String>::new());
}
