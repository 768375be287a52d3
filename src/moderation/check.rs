//! What `plop check` asks of what is stored for moderation: that reports and the lists of their reporters lead to each other.
//!
//! Owns: the references between this crate's keyspaces. Repairs nothing.

use plop_db::{Reference, ReferenceCheck};

use crate::schema::{Reports, ReportsByUser};

/// The checks of this crate's rows.
pub fn reference_checks() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<ReportsByUser, Reports> {
            name: "reports of users",
            names: |(_, report), ()| vec![*report],
            agrees: |((user, _), ()), (_, report)| report.reporter == *user,
        }),
        Box::new(Reference::<Reports, ReportsByUser>::exists("reports of users", |report, row| {
            vec![(row.reporter.clone(), *report)]
        })),
    ]
}
