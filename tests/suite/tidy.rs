//! The rules of the tree that neither cargo nor clippy can check. Each says why it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The path crates with their ranks. A crate imports from ranks below its own; the crates of one rank that may import
/// others of it name them. What tests build servers with stands above all: only tests may use it.
const RANKS: [(&str, &str, u8, &[&str]); 16] = [
    ("plop-base", "src/base", 0, &[]),
    ("plop-config", "src/config", 0, &[]),
    ("plop-db", "src/db", 1, &[]),
    ("plop-state", "src/state", 1, &[]),
    ("plop-state-store", "src/state/store", 2, &[]),
    ("plop-accounts", "src/accounts", 3, &[]),
    ("plop-rooms", "src/rooms", 3, &["plop-accounts"]),
    ("plop-e2ee", "src/e2ee", 3, &["plop-accounts", "plop-rooms"]),
    ("plop-ephemeral", "src/ephemeral", 3, &["plop-accounts"]),
    ("plop-unread", "src/unread", 3, &["plop-accounts", "plop-ephemeral", "plop-rooms"]),
    ("plop-sync", "src/sync", 4, &[]),
    ("plop-client-api", "src/client_api", 5, &[]),
    ("plop", "", 6, &[]),
    ("plop-bed", "tests/bed", 7, &[]),
    ("plop-bed-rooms", "tests/bed/rooms", 7, &["plop-bed"]),
    ("plop-bed-server", "tests/bed/server", 7, &["plop-bed", "plop-bed-rooms"]),
];

/// Most lines of a file before its tests. It may only be lowered.
const MAX_FILE_LINES: usize = 420;

/// A source file of the server.
struct Source {
    /// Relative to the root.
    path: String,
    text: String,
    lines_of_code: usize,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
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

/// Every file below `src/`, without tests, benches and examples.
fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    let sources: Vec<Source> = files.iter().map(|file| source(file)).collect();
    assert!(sources.len() > 50, "found only {} files", sources.len());
    sources
}

fn source(file: &Path) -> Source {
    let path = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    let text = fs::read_to_string(file).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines_of_code = if is_test(&path) { 0 } else { code.lines().count() };
    Source { path, lines_of_code, text }
}

fn is_test(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "examples"))
}

/// The lines that are code: no comments, no documentation.
fn code(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    source.text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Where `word` stands as a word of the code.
fn mentions(source: &Source, word: &str) -> Vec<String> {
    let is_part = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let in_line = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            !is_part(line[..at].chars().next_back()) && !is_part(line[at + word.len()..].chars().next())
        })
    };
    let lines = code(source).filter(|(_, line)| in_line(line));
    lines.map(|(index, _)| format!("{}:{}", source.path, index + 1)).collect()
}

fn crate_of(path: &str) -> (&'static str, u8) {
    let folder = |folder: &str| folder.is_empty() || path.starts_with(&format!("{folder}/"));
    let (name, _, rank, _) = RANKS.iter().filter(|row| folder(row.1)).max_by_key(|row| row.1.len()).unwrap();
    (name, *rank)
}

/// The engine is exchangeable only as long as nobody else knows which one it is.
#[test]
fn nothing_outside_the_engine_names_rocksdb() {
    let outside = sources()
        .into_iter()
        .filter(|source| !source.path.starts_with("src/db/engine") && !is_test(&source.path));
    let found: Vec<String> = outside.flat_map(|source| mentions(&source, "rocksdb")).collect();
    assert_eq!(found, Vec::<String>::new());
}

/// The domain knows no HTTP: it is called by entrances, by tests and by simulations alike.
#[test]
fn nothing_below_rank_5_names_axum_or_http() {
    let below = sources().into_iter().filter(|source| crate_of(&source.path).1 < 5);
    let found: Vec<String> = below
        .flat_map(|source| {
            ["axum", "hyper", "tower", "StatusCode"].map(|word| mentions(&source, word)).concat()
        })
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

/// `pub` hides from the compiler what nobody uses; in an entrance, which only the composition root builds on, it can be seen.
#[test]
fn every_public_function_of_an_entrance_is_named_in_another_file() {
    let sources: Vec<Source> = sources()
        .into_iter()
        .filter(|source| crate_of(&source.path).1 >= 5 && !is_test(&source.path))
        .collect();
    let name = |line: &str| {
        let line = line.trim_start().strip_prefix("pub ")?;
        let rest = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
        Some(rest.split(['(', '<']).next().unwrap_or_default().to_owned())
    };
    let mut unused = Vec::new();
    for source in sources.iter().filter(|source| crate_of(&source.path).1 == 5) {
        for name in code(source).filter_map(|(_, line)| name(line)) {
            let mut others = sources.iter().filter(|other| other.path != source.path);
            if others.all(|other| mentions(other, &name).is_empty()) {
                unused.push(format!("{}: {name}", source.path));
            }
        }
    }
    assert_eq!(unused, Vec::<String>::new());
}

/// Rules about events are pure: the same in a test, a simulation and a fuzzer, and never slow because of a disk.
#[test]
fn the_pure_state_crate_awaits_nothing_and_reaches_nothing() {
    let pure = sources()
        .into_iter()
        .filter(|source| crate_of(&source.path).0 == "plop-state" && !is_test(&source.path));
    let mut found = Vec::new();
    for source in pure {
        for word in ["async", "await", "tokio", "plop_db", "Mutex", "std::fs", "std::net"] {
            found.extend(mentions(&source, word));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

/// cargo refuses a cycle of crates; only this refuses one that points up or sideways.
#[test]
fn crates_import_only_from_ranks_below() {
    let ranks: BTreeMap<&str, u8> = RANKS.iter().map(|row| (row.0, row.2)).collect();
    let mut wrong = Vec::new();
    for (name, folder, rank, beside) in RANKS {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        // Tests may use what stands above: a simulation of a lower part needs an upper one.
        let used = manifest.split("\n[dependencies]\n").nth(1).unwrap_or_default();
        let used = used.split("\n[").next().unwrap_or_default();
        for import in used.lines().filter_map(|line| line.split(['.', ' ', '=']).next()) {
            let Some(&import_rank) = ranks.get(import) else {
                assert!(
                    !import.starts_with("plop"),
                    "{import} has no rank: add it to the table in tests/suite/tidy.rs"
                );
                continue;
            };
            if import_rank >= rank && !beside.contains(&import) {
                wrong.push(format!("{name} (rank {rank}) imports {import} (rank {import_rank})"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Every crate of the workspace has a rank.
#[test]
fn every_member_of_the_workspace_has_a_rank() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    for member in members.split('"').skip(1).step_by(2).filter(|member| *member != "bench") {
        assert!(RANKS.iter().any(|row| row.1 == member), "{member} is not in the table of ranks");
    }
}

/// A file is read in one sitting.
#[test]
fn files_are_short() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| source.lines_of_code > MAX_FILE_LINES)
        .map(|source| format!("{}: {} lines", source.path, source.lines_of_code))
        .collect();
    assert_eq!(long, Vec::<String>::new());
}

/// The head says what a module owns; names say what a thing is.
#[test]
fn files_have_a_head_and_a_name_that_says_something() {
    const NOTHING_SAID: [&str; 8] =
        ["utils", "util", "helpers", "common", "misc", "manager", "globals", "service"];
    for source in sources().iter().filter(|source| !is_test(&source.path)) {
        let stem = Path::new(&source.path).file_stem().unwrap().to_str().unwrap();
        assert!(!NOTHING_SAID.contains(&stem), "{}: the name says nothing", source.path);
        assert!(source.text.starts_with("//!"), "{}: no head", source.path);
    }
}

/// What is deferred is an issue, not a comment; what is unused is deleted.
#[test]
fn nothing_is_left_for_later_in_the_code() {
    for source in sources() {
        for left in
            ["TODO", "FIXME", "XXX", "todo!", "unimplemented!", "allow(dead_code)", "expect(dead_code)"]
        {
            assert!(!source.text.contains(left), "{}: {left}", source.path);
        }
    }
}

/// A key that nothing reads is a promise that nobody keeps.
#[test]
fn every_configuration_key_is_read_outside_the_configuration() {
    let readers: Vec<Source> =
        sources().into_iter().filter(|source| crate_of(&source.path).0 != "plop-config").collect();
    let example = fs::read_to_string(root().join("conf/plop.example.toml")).unwrap();
    let (mut section, mut unread) = ("", Vec::new());
    for line in example.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((key, _)) = line.strip_prefix('#').and_then(|line| line.split_once(" = ")) {
            let read = |source: &Source| !mentions(source, key).is_empty();
            if !key.contains(' ') && !readers.iter().any(read) {
                unread.push(format!("{section}.{key}"));
            }
        }
    }
    assert_eq!(unread, Vec::<String>::new());
}

/// The crates in which a module and one below it are two files like any others. Elsewhere what is above may be head and content in one.
const HEADS_APART: [&str; 1] = ["plop-rooms"];

/// Two files that import each other are one file that was cut in the wrong place.
#[test]
fn no_two_files_of_a_crate_import_each_other() {
    let sources = sources();
    let mut cycles = Vec::new();
    for (name, folder, _, _) in RANKS {
        let files: Vec<&Source> = sources
            .iter()
            .filter(|source| crate_of(&source.path).0 == name && !is_test(&source.path))
            .collect();
        let base = if folder.is_empty() { "src" } else { folder };
        let imports = imports_by_module(&files, base, HEADS_APART.contains(&name));
        cycles.extend(cycles_of(&imports).into_iter().map(|cycle| format!("{name}: {cycle}")));
    }
    assert_eq!(cycles, Vec::<String>::new());
}

/// For each module of a crate the modules that it names by `crate::` or `super::` paths. A module above it, which declares
/// and re-exports, counts only with `heads_apart`, and so does one right below it, which needs no such path.
fn imports_by_module(files: &[&Source], base: &str, heads_apart: bool) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeMap<String, &Source> =
        files.iter().map(|file| (module_of(&file.path, base), *file)).collect();
    let mut imports = BTreeMap::new();
    for (module, file) in &modules {
        let lines = code(file).take_while(|(_, line)| !line.starts_with("mod tests"));
        let text: String = lines.flat_map(|(_, line)| [line.trim(), " "]).collect();
        let mut named = BTreeSet::new();
        for path in paths_in(&text).iter().filter_map(|path| absolute(path, module)) {
            // The longest prefix that is a module.
            let target = (1..=path.len())
                .rev()
                .map(|len| path[..len].join("::"))
                .find(|path| modules.contains_key(path));
            let is_above = |target: &String| module.starts_with(&format!("{target}::"));
            named.extend(target.filter(|target| module != target && (heads_apart || !is_above(target))));
        }
        if heads_apart {
            named.extend(below(&text, module, modules.keys()));
        }
        imports.insert(module.clone(), named);
    }
    imports
}

/// The modules right below one that it names otherwise than to re-export them.
fn below<'a>(text: &str, module: &str, modules: impl Iterator<Item = &'a String>) -> Vec<String> {
    let own: Vec<&str> = text.split(';').filter(|part| !part.trim_start().starts_with("pub use ")).collect();
    let is_named = |child: &str| {
        let path = format!("{child}::");
        let at = |part: &&str| part.match_indices(&path).map(|(at, _)| at).collect::<Vec<_>>();
        let begins =
            |part: &str, at: usize| !part[..at].ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c));
        own.iter().any(|part| at(part).into_iter().any(|at| begins(part, at)))
    };
    let prefix = format!("{module}::");
    let children = modules.filter(|other| {
        other.strip_prefix(&prefix).is_some_and(|child| !child.contains("::") && is_named(child))
    });
    children.cloned().collect()
}

#[test]
fn modules_below_are_found_where_they_are_used() {
    let modules: Vec<String> = ["a", "a::b", "a::c", "a::d", "a::b::e"].map(str::to_owned).to_vec();
    let text = "mod b; mod c; pub use b::B; use c::{C, f}; let x = crate::d::g(1) + bb::h();";
    assert_eq!(below(text, "a", modules.iter()), ["a::c"]);
    assert_eq!(below("let x = b::f();", "a", modules.iter()), ["a::b"]);
}

/// `src/db/codec/ids.rs` is `codec::ids` of the crate whose folder is `src/db`.
fn module_of(path: &str, base: &str) -> String {
    let inner = path.strip_prefix(base).unwrap().trim_start_matches('/');
    let inner = inner.strip_suffix("/mod.rs").or_else(|| inner.strip_suffix(".rs")).unwrap();
    if matches!(inner, "lib" | "main") { String::new() } else { inner.replace('/', "::") }
}

/// Every path from `crate` or `super` on, with the groups of `use` taken apart.
fn paths_in(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for root in ["crate::", "super::"] {
        for (start, _) in text.match_indices(root) {
            let inside =
                text[..start].chars().next_back().is_some_and(|c| c.is_alphanumeric() || "_:$".contains(c));
            if !inside {
                expand(&text[start..], String::new(), &mut paths);
            }
        }
    }
    paths
}

/// Takes one path from the beginning of `text`, all paths of it when it ends in a group, and returns what follows.
fn expand<'a>(text: &'a str, prefix: String, paths: &mut Vec<String>) -> &'a str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    let path = format!("{prefix}{}", &text[..end]);
    let mut rest = &text[end..];
    if !(path.ends_with("::") && rest.starts_with('{')) {
        paths.push(path);
        return rest;
    }
    while rest.starts_with(['{', ',']) {
        rest = rest[1..].trim_start();
        if rest.starts_with('}') {
            break;
        }
        rest = expand(rest, path.clone(), paths);
        // A renaming, and the space before a comma.
        rest = &rest[rest.find([',', '}']).unwrap_or(rest.len())..];
    }
    rest.strip_prefix('}').unwrap_or(rest)
}

/// A path named in `module`, from the root of its crate.
fn absolute(path: &str, module: &str) -> Option<Vec<String>> {
    let mut parts: Vec<&str> = path.split("::").filter(|part| !part.is_empty()).collect();
    let mut from: Vec<&str> =
        if parts.first() == Some(&"crate") { Vec::new() } else { module.split("::").collect() };
    while matches!(parts.first(), Some(&"super" | &"crate")) {
        from.pop();
        parts.remove(0);
    }
    from.extend(parts);
    (!from.is_empty()).then(|| from.into_iter().map(str::to_owned).collect())
}

#[test]
fn paths_are_taken_out_of_groups() {
    let text = "use super::{content, create::{Create, Rule as R}, member}; let x = crate::a::f(1); use other::super_b;";
    let mut found = paths_in(text);
    found.sort();
    let expected =
        ["crate::a::f", "super::content", "super::create::Create", "super::create::Rule", "super::member"];
    assert_eq!(found, expected);
    assert_eq!(
        absolute("super::create::Rule", "auth::member"),
        Some(vec!["auth".into(), "create".into(), "Rule".into()])
    );
    assert_eq!(absolute("crate::a", "auth::member"), Some(vec!["a".into()]));
}

/// Pairs of modules that reach each other.
fn cycles_of(imports: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let reach = |from: &String| {
        let mut seen: BTreeSet<&String> = BTreeSet::new();
        let mut waiting: Vec<&String> = imports.get(from).into_iter().flatten().collect();
        while let Some(next) = waiting.pop() {
            if seen.insert(next) {
                waiting.extend(imports.get(next).into_iter().flatten());
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        imports.keys().map(|module| (module, reach(module))).collect();
    let mut cycles = Vec::new();
    for (one, from_one) in &reached {
        for other in from_one.iter().filter(|other| one < *other) {
            if reached.get(*other).is_some_and(|from_other| from_other.contains(one)) {
                cycles.push(format!("{one} <-> {other}"));
            }
        }
    }
    cycles
}
