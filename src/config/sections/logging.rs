//! `[logging]`: what is logged.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use crate::Problems;
use crate::schema::section;

section! {
    /// What is logged, to standard error.
    pub struct Logging {
        /// The least level: "error", "warn", "info", "debug" or "trace"; for parts of the server with others, for
        /// example "info,plop_db=debug".
        pub filter: String = "info".to_owned(),
        /// "text" for people, "json" for machines: one object a line.
        pub format: LogFormat = LogFormat::Text,
    }
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

impl Logging {
    pub(crate) fn validate(&self, problems: &mut Problems) {
        if let Err(error) = EnvFilter::try_new(&self.filter) {
            problems.add("logging.filter", error);
        }
    }
}
