//! Keyspaces: what is stored, declared once.
//!
//! Owns: the [`Keyspace`] and [`Stream`] traits, the [`keyspaces!`](crate::keyspaces) declaration, the registry of a database, key ranges.
//!
//! Invariants: an id is permanent and never used for anything else, also after its keyspace is gone (the golden test over
//! [`golden_table`] keeps that); a stored key is the id in two big-endian bytes and the encoded key, so a keyspace is one
//! contiguous range and lies as a whole in the table of its profile. Ids below [`FIRST_PUBLIC_ID`] belong to this crate.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::marker::PhantomData;

use crate::codec::{Codec, CodecError, Decoder, Encoded, Encoder, decode_all};
use crate::engine::Profile;

/// What may be stored as a value. A type with a plain encoding (a number, a tuple) is versioned by its keyspace: when it
/// must change, the keyspace gets a new id. A [`record!`](crate::record) carries its own version.
pub trait Value: Codec + Send + Sync + 'static {}
impl<T: Codec + Send + Sync + 'static> Value for T {}

/// One named map from keys to values. Declared with [`keyspaces!`](crate::keyspaces).
pub trait Keyspace: Sized + Send + Sync + 'static {
    /// Permanent.
    const ID: u16;
    /// Permanent; for people.
    const NAME: &'static str;
    const PROFILE: Profile;
    /// Who writes it, who reads it, when it is deleted, how a redaction reaches it, its invariant.
    const DOC: &'static str;
    /// The stream in which this is a reader's cursor ([`crate::Cursor`]).
    const CURSOR_OF: Option<u16> = None;
    const INFO: &'static KeyspaceInfo = &KeyspaceInfo {
        id: Self::ID,
        name: Self::NAME,
        profile: Self::PROFILE,
        doc: Self::DOC,
        cursor_of: Self::CURSOR_OF,
        check_row: check_row::<Self>,
    };
    type Key: Codec + Send + Sync + 'static;
    type Value: Value;
}

/// A keyspace whose writes wake waiters.
pub trait Stream: Keyspace {
    /// What waiters are woken by: a room, a user.
    type Subject: Codec;
}

/// A keyspace without its types.
#[derive(Debug, Clone, Copy)]
pub struct KeyspaceInfo {
    pub id: u16,
    pub name: &'static str,
    pub profile: Profile,
    pub doc: &'static str,
    pub cursor_of: Option<u16>,
    /// Decodes a stored key and value, for `plop check`.
    pub check_row: fn(&[u8], &[u8]) -> Result<(), CodecError>,
}

/// The id is the keyspace.
impl PartialEq for KeyspaceInfo {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for KeyspaceInfo {}

fn check_row<K: Keyspace>(key: &[u8], value: &[u8]) -> Result<(), CodecError> {
    parse_key::<K>(key)?;
    decode_all::<K::Value>(Decoder::new(value)).map(drop)
}

/// Ids below this one are this crate's own.
pub const FIRST_PUBLIC_ID: u16 = 10;

/// Declares keyspaces, and the list of them that the composition root hands to `Db::open`.
///
/// ```
/// plop_db::keyspaces! {
///     pub const KEYSPACES;
///     /// Written by the room's writer, read by ingest; deleted with the room. Redactions do not touch it. One number for each id.
///     pub EventIds = 12 "event_ids" Point { (u64, String) => u64 }
///     /// A stream: `append` also wakes whoever waits for the subject (here the room).
///     pub Arrivals = 13 "arrivals" Scan { (u64, plop_db::Position) => u64 } stream u64
///     /// A stream that several readers work off.
///     pub Ends = 14 "ends" Queue { (plop_db::Position, u64) => () } stream u64
///     /// How far one of them has come.
///     pub EndsSwept = 15 "ends_swept" Point { () => (plop_db::Position, u64) } cursor of Ends
/// }
/// assert_eq!(KEYSPACES.len(), 4);
/// ```
#[macro_export]
macro_rules! keyspaces {
    ($registry_visibility:vis const $registry:ident;
     $($(#[doc = $doc:literal])+ $visibility:vis $name:ident = $id:literal $label:literal $profile:ident
        { $key:ty => $value:ty } $(cursor of $of:ident)? $(stream $subject:ty)?)+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug, Clone, Copy)]
            $visibility enum $name {}

            impl $crate::Keyspace for $name {
                const ID: u16 = $id;
                const NAME: &'static str = $label;
                const PROFILE: $crate::Profile = $crate::Profile::$profile;
                const DOC: &'static str = concat!($($doc, "\n"),+);
                $(const CURSOR_OF: Option<u16> = Some(<$of as $crate::Keyspace>::ID);)?
                type Key = $key;
                type Value = $value;
            }

            $(impl $crate::Cursor for $name {
                type Of = $of;
            })?

            $(impl $crate::Stream for $name {
                type Subject = $subject;
            })?
        )+

        /// The keyspaces declared here.
        $registry_visibility const $registry: &[$crate::KeyspaceInfo] = &[$(*<$name as $crate::Keyspace>::INFO),+];
    };
}

/// The keyspaces of one database.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    by_id: BTreeMap<u16, KeyspaceInfo>,
}

/// A registry that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    #[error("keyspaces {0:?} and {1:?} have the same id")]
    SameId(&'static str, &'static str),
    #[error("two keyspaces are named {0:?}")]
    SameName(&'static str),
    #[error("the id of keyspace {0:?} is reserved")]
    ReservedId(&'static str),
}

impl Registry {
    /// `own` are this crate's, `public` everybody else's.
    pub fn new(own: &[KeyspaceInfo], public: Vec<KeyspaceInfo>) -> Result<Registry, RegistryError> {
        if let Some(info) = public.iter().find(|info| info.id < FIRST_PUBLIC_ID || info.id == u16::MAX) {
            return Err(RegistryError::ReservedId(info.name));
        }
        let mut by_id = BTreeMap::new();
        for info in own.iter().copied().chain(public) {
            if by_id.values().any(|other: &KeyspaceInfo| other.name == info.name) {
                return Err(RegistryError::SameName(info.name));
            }
            if let Some(other) = by_id.insert(info.id, info) {
                return Err(RegistryError::SameId(other.name, info.name));
            }
        }
        Ok(Registry { by_id })
    }

    pub fn contains(&self, id: u16) -> bool {
        self.by_id.contains_key(&id)
    }

    /// In the order of ids, which is the order of stored keys.
    pub fn iter(&self) -> impl Iterator<Item = &KeyspaceInfo> {
        self.by_id.values()
    }
}

/// The permanent facts of a list of keyspaces, one a line in the order of ids: what the golden test compares.
pub fn golden_table(keyspaces: &[KeyspaceInfo]) -> String {
    let mut sorted: Vec<_> = keyspaces.iter().collect();
    sorted.sort_by_key(|info| info.id);
    sorted.into_iter().fold(String::new(), |mut table, info| {
        // Writing to a string does not fail.
        let _ = writeln!(table, "{} {} {:?}", info.id, info.name, info.profile);
        table
    })
}

/// The stored form of a key.
pub(crate) fn stored_key<K: Keyspace>(key: &impl Codec) -> Encoded {
    let mut out = Encoder::with_prefix(&K::ID.to_be_bytes());
    key.encode(&mut out);
    out.finish()
}

/// The key behind stored bytes.
pub(crate) fn parse_key<K: Keyspace>(stored: &[u8]) -> Result<K::Key, CodecError> {
    decode_all(Decoder::new(stored.get(2..).unwrap_or_default()))
}

/// A contiguous part of a keyspace. The bounds are leading fields of its key: one value, or a tuple of the first few. Each further
/// bound narrows the range.
pub struct KeyRange<K> {
    start: Vec<u8>,
    end: Vec<u8>,
    keyspace: PhantomData<K>,
}

impl<K: Keyspace> KeyRange<K> {
    /// The whole keyspace.
    pub fn all() -> Self {
        Self::within(K::ID.to_be_bytes().to_vec())
    }

    /// Keys that begin with these fields.
    pub fn prefix(fields: &impl Codec) -> Self {
        Self::within(stored_key::<K>(fields).bytes)
    }

    fn within(start: Vec<u8>) -> Self {
        let end = after_prefix(&start);
        Self { start, end, keyspace: PhantomData }
    }

    /// Keys at or after these fields.
    pub fn from(self, fields: &impl Codec) -> Self {
        self.narrow_start(stored_key::<K>(fields).bytes)
    }

    /// Keys after everything that begins with these fields.
    pub fn after(self, fields: &impl Codec) -> Self {
        self.narrow_start(after_prefix(&stored_key::<K>(fields).bytes))
    }

    /// Keys up to and with everything that begins with these fields.
    pub fn to(self, fields: &impl Codec) -> Self {
        self.narrow_end(after_prefix(&stored_key::<K>(fields).bytes))
    }

    /// Keys before these fields.
    pub fn before(self, fields: &impl Codec) -> Self {
        self.narrow_end(stored_key::<K>(fields).bytes)
    }

    fn narrow_start(mut self, start: Vec<u8>) -> Self {
        self.start = self.start.max(start);
        self
    }

    fn narrow_end(mut self, end: Vec<u8>) -> Self {
        self.end = self.end.min(end);
        self
    }

    /// The first stored key that may be in the range, and the first one after it. A range may be empty (`start >= end`).
    pub(crate) fn bounds(self) -> (Vec<u8>, Vec<u8>) {
        (self.start, self.end)
    }
}

impl<K> Clone for KeyRange<K> {
    fn clone(&self) -> Self {
        Self { start: self.start.clone(), end: self.end.clone(), keyspace: PhantomData }
    }
}

/// The smallest byte string above all that begin with `prefix`. Keys begin with an id below 0xFFFF, so there is one.
fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests;
