//! Batches: what a commit writes, as plain data.
//!
//! Owns: the operations, the placeholders for positions, the sizes. Does not own: what happens to it ([`crate::committer`]).
//!
//! Invariants: a batch is applied whole or not at all; its expects are checked before any of its own operations
//! is applied; operations apply in the order they were added, so a `delete_range` followed by a `put` into the range
//! leaves the put.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use bytes::Bytes;

use crate::codec::{Codec, CodecError, Decoder, Encoded, Encoder, decode_all, encode};
use crate::keyspace::{KeyRange, Keyspace, KeyspaceInfo, Stream, stored_key};

/// Whether the answer to a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Acknowledged only once the log is synced.
    Durable,
    /// In the same log, acknowledged without waiting: a power cut may take it (and all that was relaxed after it), a killed process does not.
    Relaxed,
}

/// A number that [`Batch::add`] changes. A missing row counts as zero; at the ends of the range it stays there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Counter(pub i64);

impl Codec for Counter {
    fn encode(&self, out: &mut Encoder) {
        self.0.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        i64::decode(input).map(Counter)
    }
}

/// One operation on stored bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Op {
    Put { keyspace: &'static KeyspaceInfo, key: Encoded, value: Encoded },
    Delete { keyspace: &'static KeyspaceInfo, key: Encoded },
    DeleteRange { keyspace: &'static KeyspaceInfo, start: Vec<u8>, end: Vec<u8> },
    Add { keyspace: &'static KeyspaceInfo, key: Encoded, delta: i64 },
}

impl Op {
    pub fn keyspace(&self) -> &'static KeyspaceInfo {
        match self {
            Op::Put { keyspace, .. }
            | Op::Delete { keyspace, .. }
            | Op::DeleteRange { keyspace, .. }
            | Op::Add { keyspace, .. } => keyspace,
        }
    }
}

/// A precondition: the row is absent, or holds exactly these bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Expect {
    pub keyspace: &'static KeyspaceInfo,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

/// Something that waiters may wait for has changed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Notice {
    stream: u16,
    subject: Bytes,
}

impl Notice {
    fn new<S: Stream>(subject: &S::Subject) -> Notice {
        Notice { stream: S::ID, subject: encode(subject).into() }
    }

    /// The keyspace id of the stream.
    pub fn stream(&self) -> u16 {
        self.stream
    }

    /// The subject, if this notice is of the stream `S`.
    pub fn subject<S: Stream>(&self) -> Option<S::Subject> {
        if self.stream != S::ID {
            return None;
        }
        // Written by `Notice::new` of the same stream in this process, so it can be read back.
        decode_all(Decoder::new(&self.subject)).ok()
    }
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notice({} {})", self.stream, self.subject.escape_ascii())
    }
}

/// Operations that are committed together.
#[derive(Clone, PartialEq, Eq)]
pub struct Batch {
    pub(crate) durability: Durability,
    pub(crate) ops: Vec<Op>,
    pub(crate) expects: Vec<Expect>,
    pub(crate) notices: BTreeSet<Notice>,
    pub(crate) bytes: usize,
}

/// What an operation costs in the log besides its bytes, rounded up.
const OP_OVERHEAD: usize = 16;

impl Batch {
    /// A batch whose acknowledgement means: on disk.
    pub fn durable() -> Batch {
        Self::new(Durability::Durable)
    }

    /// A batch whose acknowledgement does not wait for the disk.
    pub fn relaxed() -> Batch {
        Self::new(Durability::Relaxed)
    }

    fn new(durability: Durability) -> Batch {
        Batch { durability, ops: Vec::new(), expects: Vec::new(), notices: BTreeSet::new(), bytes: 0 }
    }

    /// Writes a row.
    pub fn put<K: Keyspace>(&mut self, key: &K::Key, value: &K::Value) {
        let key = stored_key::<K>(key);
        let mut out = Encoder::default();
        value.encode(&mut out);
        self.push(Op::Put { keyspace: K::INFO, key, value: out.finish() });
    }

    /// Deletes a row; nothing happens if there is none.
    pub fn delete<K: Keyspace>(&mut self, key: &K::Key) {
        self.push(Op::Delete { keyspace: K::INFO, key: stored_key::<K>(key) });
    }

    /// Deletes the rows of a range, those of earlier operations of this batch too.
    pub fn delete_range<K: Keyspace>(&mut self, range: KeyRange<K>) {
        let (start, end) = range.bounds();
        if start < end {
            self.push(Op::DeleteRange { keyspace: K::INFO, start, end });
        }
    }

    /// Adds to a counter.
    pub fn add<K: Keyspace<Value = Counter>>(&mut self, key: &K::Key, delta: i64) {
        self.push(Op::Add { keyspace: K::INFO, key: stored_key::<K>(key), delta });
    }

    /// Commits only if the row is absent (`None`) or equal to `value` after everything submitted before; else the commit
    /// ends in [`crate::CommitError::Conflict`]. A row that holds the position of a batch still in flight cannot be expected.
    pub fn expect<K: Keyspace>(&mut self, key: &K::Key, value: Option<&K::Value>) {
        let expect = Expect { keyspace: K::INFO, key: stored_key::<K>(key).bytes, value: value.map(encode) };
        self.bytes += expect.key.len() + expect.value.as_ref().map_or(0, Vec::len) + OP_OVERHEAD;
        self.expects.push(expect);
    }

    /// Writes a row of a stream and wakes those who wait for `subject`.
    pub fn append<S: Stream>(&mut self, subject: &S::Subject, key: &S::Key, value: &S::Value) {
        self.put::<S>(key, value);
        self.notify::<S>(subject);
    }

    /// Wakes those who wait for `subject`, once for each batch.
    pub fn notify<S: Stream>(&mut self, subject: &S::Subject) {
        let notice = Notice::new::<S>(subject);
        let bytes = notice.subject.len() + OP_OVERHEAD;
        if self.notices.insert(notice) {
            self.bytes += bytes;
        }
    }

    /// Bytes of keys and values, with a little for each operation.
    pub fn size(&self) -> usize {
        self.bytes
    }

    /// Whether it would change nothing and wake nobody.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.notices.is_empty()
    }

    fn push(&mut self, op: Op) {
        self.bytes += OP_OVERHEAD
            + match &op {
                Op::Put { key, value, .. } => key.bytes.len() + value.bytes.len(),
                Op::Delete { key, .. } => key.bytes.len(),
                Op::DeleteRange { start, end, .. } => start.len() + end.len(),
                Op::Add { key, .. } => key.bytes.len() + size_of::<i64>(),
            };
        self.ops.push(op);
    }
}

/// Bytes as text for people: what is not printable ASCII escaped, positions still to be filled in named.
struct Printed<'a>(&'a [u8], &'a [crate::codec::PositionSlot]);

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut done = 0;
        for slot in self.1 {
            let start = slot.offset as usize;
            write!(
                f,
                "{}<pending {}>",
                self.0.get(done..start).unwrap_or_default().escape_ascii(),
                slot.index
            )?;
            done = start + crate::codec::POSITION_BYTES;
        }
        write!(f, "{}", self.0.get(done..).unwrap_or_default().escape_ascii())
    }
}

/// A stored key without the keyspace id that it begins with.
fn key<'a>(bytes: &'a [u8], slots: &'a [crate::codec::PositionSlot]) -> impl fmt::Display {
    struct Key<'a>(&'a [u8], &'a [crate::codec::PositionSlot]);
    impl fmt::Display for Key<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let shifted: Vec<_> = self
                .1
                .iter()
                .map(|slot| crate::codec::PositionSlot { offset: slot.offset.saturating_sub(2), ..*slot })
                .collect();
            Printed(self.0.get(2..).unwrap_or_default(), &shifted).fmt(f)
        }
    }
    Key(bytes, slots)
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Put { keyspace, key: k, value } => write!(
                f,
                "put {} [{}] = [{}]",
                keyspace.name,
                key(&k.bytes, &k.slots),
                Printed(&value.bytes, &value.slots)
            ),
            Op::Delete { keyspace, key: k } => {
                write!(f, "delete {} [{}]", keyspace.name, key(&k.bytes, &k.slots))
            }
            Op::DeleteRange { keyspace, start, end } => {
                write!(f, "delete {} [{}] .. [{}]", keyspace.name, key(start, &[]), key(end, &[]))
            }
            Op::Add { keyspace, key: k, delta } => {
                write!(f, "add {} [{}] {delta:+}", keyspace.name, key(&k.bytes, &k.slots))
            }
        }
    }
}

impl fmt::Debug for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expect {} [{}] ", self.keyspace.name, key(&self.key, &[]))?;
        match &self.value {
            None => write!(f, "absent"),
            Some(value) => write!(f, "= [{}]", value.escape_ascii()),
        }
    }
}

/// For tests: it shows what rows hold, so it is not for logs.
impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.durability)?;
        for expect in &self.expects {
            writeln!(f, "  {expect:?}")?;
        }
        for op in &self.ops {
            writeln!(f, "  {op:?}")?;
        }
        for notice in &self.notices {
            writeln!(f, "  {notice:?}")?;
        }
        Ok(())
    }
}

/// The rows that a batch puts, as text, a line for each: what a golden test of persisted types compares. `Err` names a keyspace of the
/// list that has no row in the batch, or one whose row cannot be read back.
pub fn golden_rows(keyspaces: &[KeyspaceInfo], rows: &Batch) -> Result<String, &'static str> {
    let mut missing: Vec<_> = keyspaces.iter().map(|info| info.name).collect();
    let mut table = String::new();
    for op in &rows.ops {
        if let Op::Put { keyspace, key, value } = op {
            (keyspace.check_row)(&key.bytes, &value.bytes).map_err(|_| keyspace.name)?;
            missing.retain(|name| *name != keyspace.name);
            // Writing to a string does not fail.
            let _ = writeln!(table, "{op:?}");
        }
    }
    missing.first().map_or(Ok(table), |name| Err(name))
}

#[cfg(test)]
mod tests;
