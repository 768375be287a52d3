//! The tables of `complement-tests/expectations` name the tests that show what an outside suite expects. A name that leads nowhere shows nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::root;

const FOLDER: &str = "complement-tests/expectations";

/// A line of a table.
struct Row {
    /// The table and the line, for a failed assertion.
    place: String,
    cells: Vec<String>,
}

impl Row {
    /// Reads a line of a table that is neither its head nor the line below that.
    fn read(place: String, line: &str) -> Option<Self> {
        let line = line.trim().strip_prefix('|')?.strip_suffix('|')?;
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
        cells.first()?.starts_with('`').then_some(Self { place, cells })
    }

    /// What stands in backticks in a cell.
    fn quoted(&self, cell: usize) -> impl Iterator<Item = &str> {
        let cell = self.cells.get(cell).map_or("", String::as_str);
        cell.split('`').skip(1).step_by(2)
    }

    /// The tests that it names, each a file and a function.
    fn tests(&self) -> impl Iterator<Item = (&str, &str)> {
        (2..self.cells.len()).flat_map(|cell| self.quoted(cell)).filter_map(|name| name.split_once(".rs::"))
    }
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for entry in fs::read_dir(root().join(FOLDER)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.ends_with(".md"), "{name}: no table");
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().enumerate();
        rows.extend(lines.filter_map(|(index, line)| Row::read(format!("{name}:{}", index + 1), line)));
    }
    assert!(!rows.is_empty(), "{FOLDER} has no rows");
    rows
}

/// Renamed or deleted, a test is missed here.
#[test]
fn every_test_beside_an_expectation_is_there() {
    let mut files: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut absent = Vec::new();
    for row in rows() {
        for (path, test) in row.tests() {
            let path = format!("{path}.rs");
            let file =
                files.entry(path.clone()).or_insert_with(|| fs::read_to_string(root().join(&path)).ok());
            if file.as_ref().is_none_or(|text| !text.contains(&format!("fn {test}("))) {
                absent.push(format!("{}: {path}::{test}", row.place));
            }
        }
    }
    assert_eq!(absent, Vec::<String>::new());
}

/// What is shown by no test is said to be so, and why.
#[test]
fn every_expectation_is_listed_once_with_its_tests_or_a_remark() {
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for row in rows() {
        let remark = row.cells.get(3).map_or("", String::as_str);
        if row.cells.len() != 4 || row.tests().next().is_none() && remark.is_empty() {
            wrong.push(format!("{}: neither a test nor a remark in four cells", row.place));
        }
        let name = row.quoted(0).next().unwrap_or_default().to_owned();
        if !seen.insert(name.clone()) {
            wrong.push(format!("{}: {name} once more", row.place));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
