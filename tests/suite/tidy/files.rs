//! What a reader meets first: how long a file is, what its head says, what it is called. Tests are read, too.

use std::path::Path;

use super::{Source, sources};

/// Most lines of a file without the tests at its end. It may only be lowered.
const MAX_LINES: usize = 420;

/// Most characters of a line of comment: rustfmt does not break them. It may only be lowered.
const MAX_COMMENT: usize = 170;

fn lines(source: &Source) -> usize {
    source.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().lines().count()
}

/// A file is read in one sitting.
#[test]
fn files_are_short() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| lines(source) > MAX_LINES)
        .map(|source| format!("{}: {} lines", source.path, lines(source)))
        .collect();
    assert_eq!(long, Vec::<String>::new());
}

/// A line of comment is seen as a whole.
#[test]
fn comments_are_broken_into_lines() {
    let mut long = Vec::new();
    for source in sources() {
        let comments =
            source.text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("//"));
        let too_long = comments.filter(|(_, line)| line.chars().count() > MAX_COMMENT);
        long.extend(too_long.map(|(number, _)| format!("{}:{}", source.path, number + 1)));
    }
    assert_eq!(long, Vec::<String>::new());
}

/// The head says what a module owns; names say what a thing is.
#[test]
fn files_have_a_head_and_a_name_that_says_something() {
    const NOTHING_SAID: [&str; 8] =
        ["utils", "util", "helpers", "common", "misc", "manager", "globals", "service"];
    for source in sources() {
        let stem = Path::new(&source.path).file_stem().unwrap().to_str().unwrap();
        assert!(!NOTHING_SAID.contains(&stem), "{}: the name says nothing", source.path);
        assert!(source.text.starts_with("//!"), "{}: no head", source.path);
    }
}
