//! What a scenario measures, and the clockwork around it.
//!
//! A [`Tally`] counts operations, their latencies and their failures. A [`Meter`] reads what the server and the
//! machine spent meanwhile. Both together make a [`Measured`], one JSON line of a report.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::http::Failure;
use crate::process::{self, Processes};

/// One line of a report. Absent figures were not measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    pub scenario: String,
    /// Set-up and operation in words, with the sizes that were really used.
    pub what: String,
    pub concurrency: usize,
    pub operations: u64,
    pub errors: u64,
    /// Failures by kind, with one message of each as an example.
    pub failures: BTreeMap<String, (u64, String)>,
    pub seconds: f64,
    /// Successful operations in a second.
    pub rate: Option<f64>,
    /// Latencies of successful operations, in milliseconds.
    pub p50_ms: Option<f64>,
    pub p90_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub max_ms: Option<f64>,
    /// CPU time of the server with its helpers, for each successful operation.
    pub cpu_ms_per_operation: Option<f64>,
    /// CPU time of this generator, for each successful operation.
    pub generator_cpu_ms_per_operation: Option<f64>,
    /// Processors that neither the server nor the generator kept busy, on average.
    pub others_cores: Option<f64>,
    /// Resident memory of the server (without helpers) at the end.
    pub resident_mib: Option<f64>,
    /// Bytes below the data folder at the end, and the part that is write-ahead logs.
    pub data_mib: Option<f64>,
    pub log_mib: Option<f64>,
    /// Growth of the data for 10,000 messages, logs excluded.
    pub mib_per_10000: Option<f64>,
    /// Why there are no figures.
    pub skipped: Option<String>,
}

pub const MIB: f64 = 1024.0 * 1024.0;

/// When a loop ends: at whichever comes first.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub time: Duration,
    pub operations: u64,
}

impl Bounds {
    pub fn time(seconds: f64) -> Self {
        Self { time: Duration::from_secs_f64(seconds), operations: u64::MAX }
    }

    pub fn operations(self, operations: u64) -> Self {
        Self { operations, ..self }
    }
}

/// Latencies above ten minutes are counted as ten minutes.
const LONGEST_MICROS: u64 = 600_000_000;

/// Counts operations while they run.
#[derive(Debug)]
pub struct Tally {
    latencies: Histogram<u64>,
    failures: BTreeMap<String, (u64, String)>,
    failed: u64,
}

impl Default for Tally {
    fn default() -> Self {
        let latencies =
            Histogram::new_with_max(LONGEST_MICROS, 3).expect("a maximum above 1, and 0 to 5 figures");
        Self { latencies, failures: BTreeMap::new(), failed: 0 }
    }
}

impl Tally {
    pub fn succeeded(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(micros);
    }

    pub fn failed(&mut self, failure: &Failure) {
        self.failed += 1;
        let entry = self.failures.entry(failure.kind()).or_insert_with(|| (0, failure.to_string()));
        entry.0 += 1;
    }

    pub fn record(&mut self, took: Duration, outcome: &Result<(), Failure>) {
        match outcome {
            Ok(()) => self.succeeded(took),
            Err(failure) => self.failed(failure),
        }
    }

    pub fn failures(&self) -> u64 {
        self.failed
    }
}

/// Reads the server's and the machine's counters.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    pub processes: Processes,
    pub data: Option<PathBuf>,
}

/// The counters at one moment.
#[derive(Debug)]
pub struct Reading {
    at: Instant,
    server: Duration,
    own: Duration,
    machine: Duration,
}

impl Meter {
    pub fn read(&self) -> Reading {
        Reading {
            at: Instant::now(),
            server: self.processes.cpu(),
            own: process::own_cpu(),
            machine: process::machine_busy(),
        }
    }

    /// What happened since `start`.
    pub fn measured(&self, start: &Reading, tally: &Tally) -> Measured {
        let now = self.read();
        let seconds = (now.at - start.at).as_secs_f64();
        let (server, own) = (now.server.saturating_sub(start.server), now.own.saturating_sub(start.own));
        let others = now.machine.saturating_sub(start.machine).saturating_sub(server + own);
        let succeeded = tally.latencies.len();
        let each = |cpu: Duration| (succeeded > 0).then(|| cpu.as_secs_f64() * 1000.0 / succeeded as f64);
        let quantile = |q| (succeeded > 0).then(|| tally.latencies.value_at_quantile(q) as f64 / 1000.0);
        let mut measured = Measured {
            operations: succeeded + tally.failed,
            errors: tally.failed,
            failures: tally.failures.clone(),
            seconds,
            rate: (seconds > 0.0).then(|| succeeded as f64 / seconds),
            p50_ms: quantile(0.5),
            p90_ms: quantile(0.9),
            p99_ms: quantile(0.99),
            max_ms: quantile(1.0),
            cpu_ms_per_operation: if self.processes.is_empty() { None } else { each(server) },
            generator_cpu_ms_per_operation: each(own),
            // The counters tick a hundred times a second.
            others_cores: (seconds > 0.2).then(|| others.as_secs_f64() / seconds),
            ..Measured::default()
        };
        self.weigh(&mut measured);
        measured
    }

    /// Puts memory and disk as they are now into `measured`.
    pub fn weigh(&self, measured: &mut Measured) {
        if !self.processes.is_empty() {
            measured.resident_mib = Some(self.processes.resident() as f64 / MIB);
        }
        if let Some(folder) = &self.data {
            let used = process::disk_use(folder);
            measured.data_mib = Some(used.data as f64 / MIB);
            measured.log_mib = Some(used.logs as f64 / MIB);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_apart_and_never_timed() {
        let mut tally = Tally::default();
        let failure =
            Failure::Refused { status: 429, errcode: "M_LIMIT_EXCEEDED".into(), message: "slow".into() };
        for _ in 0..3 {
            tally.record(Duration::from_millis(10), &Ok(()));
        }
        tally.record(Duration::from_secs(5), &Err(failure));
        let meter = Meter::default();
        let measured = meter.measured(&meter.read(), &tally);
        assert_eq!((measured.operations, measured.errors), (4, 1));
        assert_eq!(measured.failures["429 M_LIMIT_EXCEEDED"].0, 1);
        assert!((9.9..10.1).contains(&measured.p50_ms.unwrap()), "{measured:?}");
        assert_eq!(measured.max_ms, measured.p50_ms);
        assert_eq!(measured.cpu_ms_per_operation, None);
    }
}
