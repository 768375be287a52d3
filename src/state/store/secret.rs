//! The database's secret, and the keyed hashes made with it.
//!
//! Owns: [`Secret`], [`KeyHash`], [`NodeName`]. Nobody outside the server can aim a (type, state key) at a place in the
//! tree or make two nodes share a name, since nobody knows the key.
//!
//! Invariant: a hash depends only on the secret and on what is hashed, never on how it happens to be stored, so names stay valid
//! when the stored form gets a new version.

use std::fmt;

use plop_db::{Codec, CodecError, Decoder, Encoder};
use plop_state::StateKey;

/// Bytes of a hash. 96 bits: a room with a thousand million nodes has two of the same name with a chance below 10⁻¹¹.
pub const HASH_BYTES: usize = 12;

macro_rules! hash {
    ($(#[$doc:meta])+ $name:ident) => {
        $(#[$doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) [u8; HASH_BYTES]);

        impl Codec for $name {
            fn encode(&self, out: &mut Encoder) {
                out.raw(&self.0);
            }

            fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
                input.array().map($name)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "("))?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str(")")
            }
        }
    };
}

hash! {
    /// A (type, state key), as the tree knows it. Its order is the order of scans.
    KeyHash
}

hash! {
    /// A node, named by its content.
    NodeName
}

/// The secret of one database. Made with the database, stored in it, never changed: all keys and names depend on it.
#[derive(Clone)]
pub struct Secret {
    for_keys: [u8; 32],
    for_nodes: [u8; 32],
}

impl Secret {
    /// Derives the two hash keys.
    pub fn new(stored: &[u8; 32]) -> Secret {
        Secret {
            for_keys: blake3::derive_key("plop state store 2026: (type, state key)", stored),
            for_nodes: blake3::derive_key("plop state store 2026: tree node", stored),
        }
    }

    /// The hash under which a (type, state key) stands in every tree of this database.
    pub fn key_hash(&self, key: &StateKey) -> KeyHash {
        let (kind, state_key) = (key.kind().as_bytes(), key.key().as_bytes());
        // The length in front keeps ("ab", "c") and ("a", "bc") apart.
        let mut text = Vec::with_capacity(8 + kind.len() + state_key.len());
        text.extend_from_slice(&(kind.len() as u64).to_be_bytes());
        text.extend_from_slice(kind);
        text.extend_from_slice(state_key);
        KeyHash(shorten(blake3::keyed_hash(&self.for_keys, &text)))
    }

    /// The name of a node with this content.
    pub(crate) fn node_name(&self, content: &[u8]) -> NodeName {
        NodeName(shorten(blake3::keyed_hash(&self.for_nodes, content)))
    }
}

fn shorten(hash: blake3::Hash) -> [u8; HASH_BYTES] {
    let mut short = [0; HASH_BYTES];
    // 12 of 32 bytes.
    short.copy_from_slice(&hash.as_bytes()[..HASH_BYTES]);
    short
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
