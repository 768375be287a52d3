//! Which crate imports which. cargo tells, whatever way a manifest writes it.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::{LOAD_GENERATOR, RANKS, root};

/// A crate of the workspace.
struct Package {
    name: String,
    /// Relative to the root; empty for the binary's.
    folder: String,
    /// What it depends on, and whether for its tests only.
    imports: Vec<(String, bool)>,
}

fn packages() -> Vec<Package> {
    let arguments = ["metadata", "--no-deps", "--format-version", "1", "--offline", "--locked"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().iter().map(package).collect()
}

fn package(metadata: &Value) -> Package {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let manifest = text(&metadata["manifest_path"]);
    let folder = manifest.strip_suffix("Cargo.toml").unwrap().strip_prefix(root().to_str().unwrap()).unwrap();
    let imports = metadata["dependencies"].as_array().unwrap().iter();
    Package {
        name: text(&metadata["name"]),
        folder: folder.trim_matches('/').to_owned(),
        imports: imports.map(|import| (text(&import["name"]), import["kind"] == "dev")).collect(),
    }
}

fn rank(package: &str) -> u8 {
    let row = RANKS.iter().find(|row| row.0 == package);
    row.unwrap_or_else(|| panic!("{package} has no rank: add it to the table in tests/suite/tidy.rs")).2
}

/// What has no row in the table is under no rule.
#[test]
fn the_table_of_ranks_is_the_workspace() {
    let mut members: Vec<(String, String)> =
        packages().into_iter().map(|package| (package.name, package.folder)).collect();
    let mut ranked: Vec<(String, String)> =
        RANKS.iter().map(|row| (row.0.to_owned(), row.1.to_owned())).collect();
    members.sort();
    ranked.sort();
    assert_eq!(members, ranked);
}

/// cargo refuses a cycle of crates; only this refuses an import that points up or sideways.
#[test]
fn crates_import_only_from_ranks_below() {
    let mut wrong = Vec::new();
    for package in packages() {
        let own = rank(&package.name);
        let beside = RANKS.iter().find(|row| row.0 == package.name).map_or(&[][..], |row| row.3);
        // Tests may use what stands above: a simulation of a lower part needs an upper one.
        let imports = package.imports.iter().filter(|(import, for_tests)| !for_tests && is_ours(import));
        for (import, _) in imports.filter(|(import, _)| !beside.contains(&import.as_str())) {
            if rank(import) >= own {
                wrong.push(format!("{} (rank {own}) imports {import} (rank {})", package.name, rank(import)));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// A figure for another server would be worth nothing if ours were measured through its own code.
#[test]
fn the_load_generator_imports_no_crate_of_the_server() {
    let generator = packages().into_iter().find(|package| package.name == LOAD_GENERATOR).unwrap();
    let imports = generator.imports.into_iter();
    let ours: Vec<_> = imports.filter(|(import, _)| is_ours(import) && rank(import) <= 6).collect();
    assert_eq!(ours, []);
}

fn is_ours(package: &str) -> bool {
    package == "plop" || package.starts_with("plop-")
}

/// The domain knows no HTTP: it is called by entrances, by tests and by simulations alike.
#[test]
fn nothing_below_rank_5_depends_on_axum_or_http() {
    const HTTP: [&str; 8] =
        ["axum", "http", "http-body", "http-body-util", "hyper", "hyper-util", "tower", "tower-http"];
    let mut wrong = Vec::new();
    for package in packages().into_iter().filter(|package| rank(&package.name) < 5) {
        let imports = package.imports.iter().filter(|(import, _)| HTTP.contains(&import.as_str()));
        wrong.extend(imports.map(|(import, _)| format!("{} imports {import}", package.name)));
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// What no crate asks for is no part of this tree.
#[test]
fn every_dependency_of_the_workspace_is_used() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let table = manifest.split("\n[workspace.dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let packages = packages();
    let names = table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = "));
    let is_used = |name: &str| packages.iter().any(|package| package.imports.iter().any(|row| row.0 == name));
    let unused: Vec<&str> = names.map(|(name, _)| name).filter(|name| !is_used(name)).collect();
    assert_eq!(unused, Vec::<&str>::new());
}
