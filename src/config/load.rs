//! Where values come from: the defaults, then one TOML file, then environment variables.
//!
//! Owns: reading the file and the secrets' files, the names of environment variables, and the report of what nobody
//! declared.
//!
//! Invariant: every key is tried, whatever was wrong with those before it.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};
use zeroize::Zeroizing;

use crate::schema::{Declared, Section, Setting, Visitor};
use crate::{Config, Problems};

/// Environment variables that set values start with this: `PLOP_SECTION__KEY`.
const PREFIX: &str = "PLOP_";
/// Between section and key. A variable that starts like ours without it (`PLOP_CONFIG`) is none of ours.
const SEPARATOR: &str = "__";

impl Config {
    /// The configuration from the defaults, `file` when there is one, and `environment` (all variables of the
    /// process; others than ours are passed over). Relative paths are taken from the working directory.
    ///
    /// # Errors
    /// Everything that is wrong, at once: what cannot be read, unknown keys and variables, values of a wrong type,
    /// and then what [`Config::validate`] finds.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let table = file.map_or_else(Table::new, |path| read_table(path, &mut problems));
        let variables = environment
            .into_iter()
            .filter(|(name, _)| name.strip_prefix(PREFIX).is_some_and(|rest| rest.contains(SEPARATOR)))
            .collect();
        let mut loader = Loader { table, variables, section: None, problems };
        let mut config = Self::default();
        config.visit(&mut loader);
        let problems = loader.finish();
        if !problems.is_empty() {
            return Err(problems);
        }
        let problems = config.validate();
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }
}

fn read_table(path: &Path, problems: &mut Problems) -> Table {
    let table = std::fs::read_to_string(path)
        .map_err(|error| error.to_string())
        .and_then(|text| text.parse().map_err(|error: toml::de::Error| error.to_string()));
    table.unwrap_or_else(|error| {
        problems.add(path.display().to_string(), error);
        Table::new()
    })
}

/// Takes each value that is declared out of what was given; what is left then was never declared.
struct Loader {
    table: Table,
    variables: BTreeMap<String, String>,
    /// The section that is being visited, and what the file says of it.
    section: Option<(&'static str, Table)>,
    problems: Problems,
}

impl Visitor for Loader {
    fn section(&mut self, declared: Declared, section: &mut impl Section) {
        let table = match self.table.remove(declared.name) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => {
                self.problems.add(declared.name, format!("a section is a table, not {}", other.type_str()));
                Table::new()
            }
        };
        self.section = Some((declared.name, table));
        section.visit(self);
        for (unknown, _) in self.section.take().map(|(_, table)| table).into_iter().flatten() {
            self.problems.add(format!("{}.{unknown}", declared.name), "unknown key");
        }
    }

    fn value<T: Setting>(&mut self, declared: Declared, value: &mut T) {
        let direct = self.take::<T>(declared.name);
        let from_file = T::FROM_FILE.and_then(|make| {
            let (key, path) = self.take::<String>(&format!("{}_file", declared.name))?;
            Some((key, path.and_then(|path| read_secret(&path)).map(make)))
        });
        let given = match (direct, from_file) {
            (Some((key, _)), Some((other, _))) => {
                self.problems.add(key, format!("set although {other} is set, too: which one counts?"));
                return;
            }
            (one, other) => one.or(other),
        };
        match given {
            None => {}
            Some((_, Ok(given))) => *value = given,
            Some((key, Err(text))) => self.problems.add(key, text),
        }
    }
}

impl Loader {
    /// The value given for `key` of the present section and what to call it in a report; the environment wins over
    /// the file.
    fn take<T: Setting>(&mut self, key: &str) -> Option<(String, Result<T, String>)> {
        let (section, table) = self.section.as_mut()?;
        let path = format!("{section}.{key}");
        let in_file = table.remove(key);
        let variable = variable_name(section, key);
        if let Some(text) = self.variables.remove(&variable) {
            return Some((variable, from_text(text)));
        }
        in_file.map(|value| (path, value.try_into().map_err(|error: toml::de::Error| one_line(&error))))
    }

    fn finish(mut self) -> Problems {
        for section in self.table.keys() {
            self.problems.add(section.clone(), "unknown section");
        }
        for variable in self.variables.keys() {
            self.problems.add(variable.clone(), "no key has this environment variable");
        }
        self.problems
    }
}

/// The environment variable of a key.
pub(crate) fn variable_name(section: &str, key: &str) -> String {
    format!("{PREFIX}{}{SEPARATOR}{}", section.to_uppercase(), key.to_uppercase())
}

/// A value from an environment variable: the text itself where the key takes text, else TOML (`8`, `true`,
/// `["a", "b"]`).
fn from_text<T: Setting>(text: String) -> Result<T, String> {
    let toml = text.parse::<Value>();
    let as_text = Value::String(text).try_into();
    as_text.or_else(|as_text: toml::de::Error| match toml {
        Ok(value) => value.try_into().map_err(|error: toml::de::Error| one_line(&error)),
        Err(_) => Err(one_line(&as_text)),
    })
}

/// The content of a secret's file without the end of line that editors add.
fn read_secret(path: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let text = Zeroizing::new(text);
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(format!("{path} is empty"));
    }
    Ok(secret.to_owned())
}

fn one_line(error: &toml::de::Error) -> String {
    error.message().replace('\n', " ")
}
