//! Reports: a first line about the run, then one JSON line for each scenario; and the same as table rows.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::measure::Measured;

/// The first line of a report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The name that tables show.
    pub label: String,
    pub command: Vec<String>,
    pub cores: usize,
    pub scale: f64,
    /// Seconds since 1970.
    pub started: u64,
}

/// A report as read from its file.
#[derive(Clone, Debug)]
pub struct Report {
    pub run: Run,
    pub scenarios: Vec<Measured>,
}

/// Why a report cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    #[error("{0}, line {1}: {2}")]
    Line(PathBuf, usize, serde_json::Error),
    #[error("{0} is empty")]
    Empty(PathBuf),
}

impl Report {
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let text = fs::read_to_string(path).map_err(|error| ReportError::Io(path.to_owned(), error))?;
        let line = |number| move |error| ReportError::Line(path.to_owned(), number + 1, error);
        let mut lines = text.lines().enumerate();
        let (number, first) = lines.next().ok_or_else(|| ReportError::Empty(path.to_owned()))?;
        let run = serde_json::from_str(first).map_err(line(number))?;
        let scenarios = lines
            .map(|(number, text)| serde_json::from_str(text).map_err(line(number)))
            .collect::<Result<_, _>>()?;
        Ok(Self { run, scenarios })
    }
}

/// The head of the table.
pub fn table_head() -> String {
    format!(
        "{:<22} {:>7} {:>6} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6} {:>7} {:>8}",
        "scenario",
        "ops",
        "errors",
        "rate/s",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "max ms",
        "CPU ms",
        "gen. ms",
        "others",
        "RSS MiB",
        "disk MiB"
    )
}

/// One row. Below it, indented, each kind of failure with an example.
pub fn table_row(measured: &Measured) -> String {
    if let Some(reason) = &measured.skipped {
        return format!("{:<22} no figures: {reason}", measured.scenario);
    }
    let mut row = format!(
        "{:<22} {:>7} {:>6} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6} {:>7} {:>8}",
        measured.scenario,
        measured.operations,
        measured.errors,
        figure(measured.rate),
        figure(measured.p50_ms),
        figure(measured.p90_ms),
        figure(measured.p99_ms),
        figure(measured.max_ms),
        figure(measured.cpu_ms_per_operation),
        figure(measured.generator_cpu_ms_per_operation),
        figure(measured.others_cores),
        figure(measured.resident_mib),
        figure(measured.data_mib),
    );
    if let Some(mib) = measured.mib_per_10000 {
        row += &format!(
            "\n    {} MiB for 10,000 messages, logs {} MiB",
            figure(Some(mib)),
            figure(measured.log_mib)
        );
    }
    for (kind, (count, example)) in &measured.failures {
        row += &format!("\n    {count} x {kind} ({example})");
    }
    row
}

/// Three significant digits, or a dash.
pub fn figure(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) if value.abs() >= 1.0 => format!("{value:.2}"),
        Some(value) => format!("{value:.3}"),
    }
}
