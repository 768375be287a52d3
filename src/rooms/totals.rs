//! Arithmetic of the running totals of live streams.

use crate::schema::{Tally, Totals};

impl Tally {
    /// Counts what a part of the stream adds.
    pub fn add(&mut self, step: Self) {
        self.events += step.events;
        self.notifying += step.notifying;
        self.highlighting += step.highlighting;
        self.mentioning += step.mentioning;
    }

    /// What came after `earlier`, a total of the same stream.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            events: self.events.saturating_sub(earlier.events),
            notifying: self.notifying.saturating_sub(earlier.notifying),
            highlighting: self.highlighting.saturating_sub(earlier.highlighting),
            mentioning: self.mentioning.saturating_sub(earlier.mentioning),
        }
    }
}

impl Totals {
    /// The total of the main timeline: all that is in no thread.
    pub fn main(&self) -> Tally {
        self.all.since(self.in_threads)
    }
}
