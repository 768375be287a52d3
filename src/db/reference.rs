//! References between rows, for `plop check`: rows of one keyspace name rows of another.
//!
//! Owns: reading all rows that name others, looking up what they name, the report of what is missing or says otherwise.

use std::fmt::Debug;

use futures_util::future::BoxFuture;

use crate::check::{Problems, ReferenceCheck};
use crate::keyspace::{KeyRange, Keyspace};
use crate::pages::Pages;
use crate::snapshot::{ReadError, Snapshot};

/// Rows read, and named rows looked up, at once.
const AT_ONCE: usize = 500;

/// A key and its value.
type Row<'a, K> = (&'a <K as Keyspace>::Key, &'a <K as Keyspace>::Value);

/// Rows of `From` name rows of `To`: each has to be there and to agree with the row that names it.
pub struct Reference<From: Keyspace, To: Keyspace> {
    /// For the report: `members of rooms`.
    pub name: &'static str,
    /// The keys that a row names.
    pub names: fn(&From::Key, &From::Value) -> Vec<To::Key>,
    /// Whether the row that names and the one that it names agree.
    pub agrees: fn(Row<'_, From>, Row<'_, To>) -> bool,
}

impl<From: Keyspace, To: Keyspace> Reference<From, To> {
    /// A reference that holds if the named row is there.
    pub fn exists(name: &'static str, names: fn(&From::Key, &From::Value) -> Vec<To::Key>) -> Self {
        Self { name, names, agrees: |_, _| true }
    }
}

impl<From: Keyspace, To: Keyspace> ReferenceCheck for Reference<From, To>
where
    From::Key: Debug,
    To::Key: Debug,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn run<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        problems: &'a mut Problems,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let mut pages = Pages::<From>::new(KeyRange::all(), AT_ONCE);
            while let Some(rows) = pages.next(snapshot).await? {
                let (mut naming, mut named) = (Vec::new(), Vec::new());
                for row in &rows {
                    let keys = (self.names)(&row.0, &row.1);
                    naming.extend(keys.iter().map(|_| row));
                    named.extend(keys);
                }
                for (naming, named) in naming.chunks(AT_ONCE).zip(named.chunks(AT_ONCE)) {
                    let found = snapshot.get_many::<To>(named).await?;
                    for (((key, value), named), found) in naming.iter().zip(named).zip(found) {
                        let wrong = match &found {
                            None => "is not there",
                            Some(found) if !(self.agrees)((key, value), (named, found)) => "says otherwise",
                            Some(_) => continue,
                        };
                        let (from, to) = (From::NAME, To::NAME);
                        problems.report(
                            self.name,
                            format_args!("{from} {key:?} names {to} {named:?}, which {wrong}"),
                        );
                    }
                }
            }
            Ok(())
        })
    }
}
