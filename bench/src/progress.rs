//! The progress bar. It draws on the terminal of stderr and nowhere else.

use std::cell::Cell;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::measure::Bounds;

/// One bar for the scenario that runs.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    /// Whether the loop that is being measured ends by time rather than by its number of operations.
    by_time: Cell<bool>,
}

impl Progress {
    pub fn new() -> Self {
        Self { bar: ProgressBar::new(1), by_time: Cell::new(false) }
    }

    /// A bar that draws nothing.
    #[cfg(test)]
    pub fn hidden() -> Self {
        let bar = ProgressBar::hidden();
        Self { bar, by_time: Cell::new(false) }
    }

    /// Names the scenario.
    pub fn scenario(&self, name: &str) {
        let style = ProgressStyle::with_template("{prefix:24} {msg:9} [{bar:40}] {pos}/{len} {elapsed}");
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.bar.set_prefix(name.to_owned());
        self.bar.reset_elapsed();
        self.begin_setup(1);
    }

    pub fn begin_setup(&self, steps: usize) {
        self.bar.set_message("set-up");
        self.bar.set_position(0);
        self.bar.set_length(steps as u64);
    }

    pub fn advance(&self) {
        self.bar.inc(1);
    }

    /// The bar of a measured loop runs along the bound that ends it, in operations or in milliseconds.
    pub fn begin_measuring(&self, bounds: Bounds) {
        self.bar.set_message("measuring");
        self.bar.set_position(0);
        self.by_time.set(bounds.operations == u64::MAX);
        self.bar.set_length(if self.by_time.get() { millis(bounds.time) } else { bounds.operations });
    }

    pub fn measured(&self, elapsed: Duration, operations: u64) {
        let length = self.bar.length().unwrap_or_default();
        // Drawing is not free: about a hundred updates are enough.
        let position = if self.by_time.get() { millis(elapsed) } else { operations };
        if position >= self.bar.position() + length / 100 {
            self.bar.set_position(position.min(length));
        }
    }

    /// Prints a line above the bar.
    pub fn print(&self, line: &str) {
        self.bar.suspend(|| println!("{line}"));
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
