//! No two files of a crate import each other.

mod paths;

use std::collections::{BTreeMap, BTreeSet};

use super::{RANKS, Source, sources};
use paths::{absolute, below, module_of, paths_in};

/// The crates in which a module and one below it are two files like any others. Elsewhere what is above may be head and content in one.
const HEADS_APART: [&str; 1] = ["plop-rooms"];

/// Two files that import each other are one file that was cut in the wrong place.
#[test]
fn no_two_files_of_a_crate_import_each_other() {
    let sources = sources();
    let mut cycles = Vec::new();
    for (name, folder, _, _) in RANKS {
        let files: Vec<&Source> =
            sources.iter().filter(|source| source.package == name && !source.is_test).collect();
        let base = match folder {
            "" => "src",
            "bench" => "bench/src",
            other => other,
        };
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
        let lines = file.code().take_while(|(_, line)| !line.starts_with("mod tests"));
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
