//! `plop check`: reads everything and says what is wrong.
//!
//! Owns: reading every row of every keyspace (the engine checks its checksums while it reads), decoding key and value, finding rows
//! that belong to no keyspace, running the reference checks of the parts above. Repairs nothing.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::engine::{Direction, Profile, Scan, View};
use crate::keyspace::{KeyspaceInfo, Registry};
use crate::snapshot::{MAX_PAGE_BYTES, MAX_PAGE_ROWS, ReadError, Snapshot};

/// Whether rows that name each other agree: a part above declares one for each kind of reference in its keyspaces.
pub trait ReferenceCheck: Send + Sync {
    /// For the report: `members of rooms`.
    fn name(&self) -> &'static str;

    /// Reports each broken reference. An error is for rows that cannot be read; it is reported too.
    fn run<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        problems: &'a mut Problems,
    ) -> BoxFuture<'a, Result<(), ReadError>>;
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The keyspace or the reference check.
    pub place: String,
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Problems as they are found. Keeps the first ones and counts all, so that a ruined database does not fill the memory.
#[derive(Debug, Default)]
pub struct Problems {
    kept: Vec<Problem>,
    count: u64,
}

impl Problems {
    /// Problems beyond these are only counted.
    pub const KEPT: usize = 1000;

    pub fn report(&mut self, place: &str, what: impl fmt::Display) {
        self.count = self.count.saturating_add(1);
        if self.kept.len() < Self::KEPT {
            self.kept.push(Problem { place: place.to_owned(), what: what.to_string() });
        }
    }
}

/// What a keyspace holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyspaceCount {
    pub name: &'static str,
    pub rows: u64,
    /// Keys and values, uncompressed.
    pub bytes: u64,
}

/// The outcome of a check.
#[derive(Debug)]
pub struct CheckReport {
    /// In the order of ids; the empty ones too.
    pub keyspaces: Vec<KeyspaceCount>,
    /// The first [`Problems::KEPT`] of them.
    pub problems: Vec<Problem>,
    /// How many there are.
    pub problem_count: u64,
}

impl CheckReport {
    pub fn is_sound(&self) -> bool {
        self.problem_count == 0
    }

    /// Rows of all keyspaces.
    pub fn rows(&self) -> u64 {
        self.keyspaces.iter().map(|keyspace| keyspace.rows).sum()
    }
}

/// Checks what `snapshot` holds.
pub(crate) async fn check(
    snapshot: &Snapshot,
    registry: &Registry,
    references: &[Box<dyn ReferenceCheck>],
) -> CheckReport {
    let mut problems = Problems::default();
    let mut keyspaces = Vec::new();
    for info in registry.iter() {
        keyspaces.push(read_keyspace(snapshot.view(), info, &mut problems).await);
    }
    find_strays(snapshot.view(), registry, &mut problems).await;
    for reference in references {
        if let Err(error) = reference.run(snapshot, &mut problems).await {
            problems.report(reference.name(), error);
        }
    }
    CheckReport { keyspaces, problems: problems.kept, problem_count: problems.count }
}

/// The first key of an id.
fn first_key(id: u16) -> Vec<u8> {
    id.to_be_bytes().to_vec()
}

async fn read_keyspace(view: &View, info: &KeyspaceInfo, problems: &mut Problems) -> KeyspaceCount {
    let mut count = KeyspaceCount { name: info.name, rows: 0, bytes: 0 };
    // Ids end below the highest number, so there is a next one.
    let mut scan = whole_range(info.profile, first_key(info.id), first_key(info.id.saturating_add(1)));
    loop {
        let page = match view.scan(scan.clone()).await {
            Ok(page) => page,
            Err(error) => {
                problems.report(info.name, format_args!("cannot be read after {} rows: {error}", count.rows));
                return count;
            }
        };
        for (key, value) in &page.rows {
            count.rows += 1;
            count.bytes += (key.len() + value.len()) as u64;
            if let Err(error) = (info.check_row)(key, value) {
                problems.report(info.name, format_args!("row [{}]: {error}", printed(key)));
            }
        }
        match page.rows.last() {
            Some((last, _)) if page.more => scan.start = next_key(last),
            _ => return count,
        }
    }
}

/// Rows between the keyspaces: of a newer program, or of nobody.
async fn find_strays(view: &View, registry: &Registry, problems: &mut Problems) {
    for table in Profile::ALL {
        let mut start = Vec::new();
        let ends = registry.iter().map(|info| info.id).chain([u16::MAX]);
        for end in ends {
            let mut gap = whole_range(
                table,
                std::mem::replace(&mut start, first_key(end.saturating_add(1))),
                first_key(end),
            );
            if gap.start >= gap.end {
                continue;
            }
            gap.rows = 1;
            match view.scan(gap).await {
                Ok(page) => {
                    for (key, _) in page.rows {
                        problems
                            .report("strays", format_args!("row [{}] belongs to no keyspace", printed(&key)));
                    }
                }
                Err(error) => {
                    problems.report("strays", format_args!("table {table:?} cannot be read: {error}"))
                }
            }
        }
    }
}

fn whole_range(table: Profile, start: Vec<u8>, end: Vec<u8>) -> Scan {
    Scan { table, start, end, direction: Direction::Forward, rows: MAX_PAGE_ROWS, bytes: MAX_PAGE_BYTES }
}

/// The smallest key after `key`.
fn next_key(key: &[u8]) -> Vec<u8> {
    let mut next = key.to_vec();
    next.push(0);
    next
}

/// The start of a key, for people.
fn printed(key: &[u8]) -> impl fmt::Display {
    key.get(..key.len().min(48)).unwrap_or_default().escape_ascii()
}
