//! The state file: what was acknowledged, line by line, so that a run can be resumed.
//!
//! A cycle writes one line when it begins and one when its load has ended, synced before the server is started again.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::crash::facts::{Facts, Record};

/// One line of the state file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Began {
        number: u64,
        name: String,
        #[serde(default)]
        power_cut: bool,
    },
    Ended {
        name: String,
        records: Vec<Record>,
    },
    /// What a check found out about requests in doubt.
    Resolved {
        records: Vec<Record>,
    },
}

/// Why the state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    #[error("{0}, line {1}: {2}")]
    Line(PathBuf, usize, serde_json::Error),
}

/// The open state file.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

/// What a state file said.
#[derive(Debug, Default)]
pub struct Resumed {
    pub facts: Facts,
    /// The number of the last cycle that began.
    pub cycle: u64,
}

impl Journal {
    /// Opens or creates the file and reads what is there.
    pub fn open(path: &Path) -> Result<(Self, Resumed), JournalError> {
        let failed = |error| JournalError::Io(path.to_owned(), error);
        let file = File::options().create(true).read(true).append(true).open(path).map_err(failed)?;
        let mut resumed = Resumed::default();
        let mut unfinished = false;
        for (number, line) in BufReader::new(&file).lines().enumerate() {
            let line = serde_json::from_str(&line.map_err(failed)?);
            match line.map_err(|error| JournalError::Line(path.to_owned(), number + 1, error))? {
                Line::Began { number, power_cut, .. } => {
                    resumed.cycle = number;
                    resumed.facts.values.power_cuts = power_cut;
                    unfinished = true;
                }
                Line::Ended { name, records } => {
                    records.iter().for_each(|record| resumed.facts.apply(record));
                    resumed.facts.complete(&name);
                    unfinished = false;
                }
                Line::Resolved { records } => records.iter().for_each(|record| resumed.facts.apply(record)),
            }
        }
        if unfinished {
            resumed.facts.forget_values();
        }
        Ok((Self { path: path.to_owned(), file }, resumed))
    }

    /// A cycle begins, which ends with a power cut or with a kill alone.
    pub fn began(&mut self, number: u64, name: &str, power_cut: bool) -> Result<(), JournalError> {
        self.append(&Line::Began { number, name: name.to_owned(), power_cut })
    }

    pub fn ended(&mut self, name: &str, records: &[Record]) -> Result<(), JournalError> {
        self.append(&Line::Ended { name: name.to_owned(), records: records.to_vec() })
    }

    pub fn resolved(&mut self, records: &[Record]) -> Result<(), JournalError> {
        self.append(&Line::Resolved { records: records.to_vec() })
    }

    fn append(&mut self, line: &Line) -> Result<(), JournalError> {
        let mut text =
            serde_json::to_string(line).map_err(io::Error::from).map_err(|error| self.failed(error))?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(|error| self.failed(error))?;
        self.file.sync_data().map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> JournalError {
        JournalError::Io(self.path.clone(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::values::{Cell, CellKind};

    #[test]
    fn a_run_resumes_with_what_was_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let cell = Cell { kind: CellKind::AccountData, user_id: "@a:b".into(), room: None };
        let value = Record::Value { cell: cell.clone(), value: "1".into(), acknowledged: true };
        let (user_id, device_id) = ("@a:b".into(), "D".into());
        let account = Record::Account { user_id, device_id, password: "p".into(), token: "t".into() };
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.began(1, "x-1", false).unwrap();
        journal.ended("x-1", &[account, value]).unwrap();
        let (_, resumed) = Journal::open(&path).unwrap();
        assert_eq!((resumed.cycle, resumed.facts.accounts.len()), (1, 1));
        assert_eq!(resumed.facts.values.value(&cell), Some("1"));

        journal.began(2, "x-2", false).unwrap();
        let (_, resumed) = Journal::open(&path).unwrap();
        assert_eq!(resumed.cycle, 2);
        assert_eq!(
            resumed.facts.values.value(&cell),
            None,
            "the cycle that was cut short may have changed it"
        );
    }

    #[test]
    fn a_resumed_run_knows_what_a_power_cut_may_have_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let cell = Cell { kind: CellKind::Receipt, user_id: "@a:b".into(), room: Some("!r".into()) };
        for (number, power_cut, known) in [(1, true, None), (2, false, Some("2")), (3, true, None)] {
            let (mut journal, _) = Journal::open(&path).unwrap();
            let value = number.to_string();
            journal.began(number, &value, power_cut).unwrap();
            journal
                .ended(
                    &value,
                    &[Record::Value { cell: cell.clone(), value: value.clone(), acknowledged: true }],
                )
                .unwrap();
            let (_, resumed) = Journal::open(&path).unwrap();
            assert_eq!(resumed.facts.values.value(&cell), known);
        }
    }
}
