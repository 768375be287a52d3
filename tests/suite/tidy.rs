//! The rules of the tree that neither cargo nor clippy can check. Each says why it is there.
//!
//! Owns: the table of ranks, and the source files as the rules look at them.

mod cycles;
mod expectations;
mod files;
mod imports;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

/// The path crates with their ranks. A crate imports from ranks below its own; the crates of one rank that may import
/// others of it name them. What tests build servers with stands above all: only tests may use it. So do the fuzz
/// targets, and the load generator, which imports only what cuts the power.
const RANKS: [(&str, &str, u8, &[&str]); 27] = [
    ("plop-base", "src/base", 0, &[]),
    ("plop-config", "src/config", 0, &[]),
    ("plop-outbound", "src/outbound", 0, &["plop-base"]),
    ("plop-db", "src/db", 1, &[]),
    ("plop-state", "src/state", 1, &[]),
    ("plop-state-store", "src/state/store", 2, &[]),
    ("plop-accounts", "src/accounts", 3, &[]),
    ("plop-rooms", "src/rooms", 3, &["plop-accounts"]),
    ("plop-delayed", "src/delayed", 3, &["plop-accounts", "plop-rooms"]),
    ("plop-directory", "src/directory", 3, &["plop-accounts", "plop-rooms"]),
    ("plop-e2ee", "src/e2ee", 3, &["plop-accounts", "plop-rooms"]),
    ("plop-ephemeral", "src/ephemeral", 3, &["plop-accounts"]),
    ("plop-media", "src/media", 3, &["plop-accounts"]),
    ("plop-moderation", "src/moderation", 3, &["plop-accounts", "plop-rooms"]),
    ("plop-unread", "src/unread", 3, &["plop-accounts", "plop-ephemeral", "plop-rooms"]),
    ("plop-mail", "src/mail", 4, &[]),
    ("plop-search", "src/search", 4, &[]),
    ("plop-sync", "src/sync", 4, &[]),
    ("plop-client-api", "src/client_api", 5, &[]),
    ("plop-federation-inbound", "src/federation/inbound", 5, &[]),
    ("plop", "", 6, &[]),
    ("plop-bed", "tests/bed", 7, &[]),
    ("plop-bed-rooms", "tests/bed/rooms", 7, &["plop-bed"]),
    ("plop-bed-server", "tests/bed/server", 7, &["plop-bed", "plop-bed-rooms"]),
    ("plop-powerloss", "tests/powerloss", 7, &[]),
    ("plop-fuzz", "fuzz", 7, &[]),
    (LOAD_GENERATOR, "bench", 7, &["plop-powerloss"]),
];

/// Knows servers from outside, ours like any other.
const LOAD_GENERATOR: &str = "plop-bench";

/// Where this tree has Rust.
const FOLDERS: [&str; 4] = ["src", "bench", "fuzz", "tests"];

/// A source file.
struct Source {
    /// Relative to the root.
    path: String,
    text: String,
    /// The crate that it belongs to, and its rank.
    package: &'static str,
    rank: u8,
    /// Whether it is compiled for tests, benches or examples only. What tests of several crates share is a crate, and is not.
    is_test: bool,
}

impl Source {
    fn read(file: &Path) -> Self {
        let path = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(file).unwrap();
        let within = |folder: &str| folder.is_empty() || path.starts_with(&format!("{folder}/"));
        let rows = RANKS.iter().filter(|row| within(row.1));
        let &(package, folder, rank, _) = rows.max_by_key(|row| row.1.len()).unwrap();
        let mut parts = path[folder.len()..].split('/');
        let is_test = parts.any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "examples"));
        Self { path, text, package, rank, is_test }
    }

    /// The lines that are code: no comments, no documentation.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Where `word` stands as a word of the code.
    fn mentions(&self, word: &str) -> Vec<String> {
        let is_part = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let in_line = |line: &str| {
            line.match_indices(word).any(|(at, _)| {
                !is_part(line[..at].chars().next_back()) && !is_part(line[at + word.len()..].chars().next())
            })
        };
        let lines = self.code().filter(|(_, line)| in_line(line));
        lines.map(|(index, _)| format!("{}:{}", self.path, index + 1)).collect()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of Rust in the tree.
fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        rust_files(&root().join(folder), &mut files);
    }
    assert!(files.len() > 100, "found only {} files", files.len());
    files.iter().map(|file| Source::read(file)).collect()
}

/// What servers are made of: no tests, nothing above the binary.
fn server_sources() -> Vec<Source> {
    sources().into_iter().filter(|source| source.rank <= 6 && !source.is_test).collect()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
