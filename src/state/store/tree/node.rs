//! Nodes of a state tree: their content, their canonical shape, their stored form.
//!
//! Owns: [`Node`], [`Entry`], [`Root`], the [`Nodes`] source that the algorithms read from.
//!
//! The tree is a trie over the bits of the key hash, three for each level from the most significant on. A subtree of at most
//! [`LEAF_CAPACITY`] entries is one leaf, a larger one is an inner node. So the shape follows from the set of entries
//! alone: the same state has the same nodes, whatever the order of changes that led to it. Nodes are named by their content, so
//! equal subtrees have equal names, wherever and whenever they were made.
//!
//! Invariants: entries of a leaf are sorted by key hash without duplicates, 1 to [`LEAF_CAPACITY`] of them; an inner node has
//! 1 to [`FAN_OUT`] children; a node's name is the keyed hash of its content.

use std::sync::Arc;

use plop_db::{Codec, CodecError, Decoder, Encoder};

use crate::numbers::EventNumber;
use crate::secret::{HASH_BYTES, KeyHash, NodeName, Secret};

/// Children of an inner node, at most.
pub const FAN_OUT: usize = 8;

/// Entries of a leaf, at most.
pub const LEAF_CAPACITY: usize = 16;

const BITS_PER_LEVEL: usize = 3;

/// Which child of an inner node at `depth` a key belongs to. Below the last level (32, where the bits of the hash are used up,
/// so no two keys can meet there) always the first.
pub(super) fn slot(key: KeyHash, depth: usize) -> usize {
    let mut wide = [0; 16];
    // 12 of 16 bytes.
    wide[..HASH_BYTES].copy_from_slice(&key.0);
    let shifted =
        u128::from_be_bytes(wide).checked_shl(u32::try_from(depth * BITS_PER_LEVEL).unwrap_or(u32::MAX));
    // The upper three bits.
    shifted.map_or(0, |bits| (bits >> (u128::BITS as usize - BITS_PER_LEVEL)) as usize)
}

/// One (type, state key) and the event that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub key: KeyHash,
    pub event: EventNumber,
}

/// A decoded node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Leaf(Box<[Entry]>),
    Inner(Box<[Option<NodeName>; FAN_OUT]>),
}

impl Node {
    /// The name of this node.
    pub fn name(&self, secret: &Secret) -> NodeName {
        let mut content = Vec::with_capacity(1 + LEAF_CAPACITY * (HASH_BYTES + size_of::<u64>()));
        match self {
            Node::Leaf(entries) => {
                content.push(b'L');
                for entry in entries {
                    content.extend_from_slice(&entry.key.0);
                    content.extend_from_slice(&entry.event.0.to_be_bytes());
                }
            }
            Node::Inner(children) => {
                content.push(b'I');
                for (slot, name) in (0u8..).zip(children.iter()) {
                    if let Some(name) = name {
                        content.push(slot);
                        content.extend_from_slice(&name.0);
                    }
                }
            }
        }
        secret.node_name(&content)
    }

    /// Bytes that the decoded node takes in memory.
    pub(super) fn memory(&self) -> u64 {
        // The allocation of the Arc with the enum, and the one behind it, each with the allocator's overhead.
        const FIXED: usize = 64;
        let behind = match self {
            Node::Leaf(entries) => size_of_val::<[Entry]>(entries),
            Node::Inner(children) => size_of_val(&**children),
        };
        (FIXED + behind) as u64
    }
}

const LEAF: u8 = 0;
const INNER: u8 = 1;

impl Codec for Node {
    fn encode(&self, out: &mut Encoder) {
        match self {
            Node::Leaf(entries) => {
                out.byte(LEAF);
                // At most 16.
                out.byte(entries.len() as u8);
                for entry in entries {
                    entry.key.encode(out);
                    entry.event.encode(out);
                }
            }
            Node::Inner(children) => {
                out.byte(INNER);
                let present =
                    children.iter().rev().fold(0u8, |bits, child| bits << 1 | u8::from(child.is_some()));
                out.byte(present);
                children.iter().flatten().for_each(|name| name.encode(out));
            }
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        match (input.byte()?, input.byte()?) {
            (LEAF, count @ 1..=16) => {
                let entry =
                    |_| Ok(Entry { key: KeyHash::decode(input)?, event: EventNumber::decode(input)? });
                let entries: Box<[Entry]> = (0..count).map(entry).collect::<Result<_, CodecError>>()?;
                if !entries.is_sorted_by(|a, b| a.key < b.key) {
                    return Err(CodecError::Invalid("order of the entries of a state leaf"));
                }
                Ok(Node::Leaf(entries))
            }
            (INNER, present @ 1..) => {
                let mut children = Box::new([None; FAN_OUT]);
                for (slot, child) in children.iter_mut().enumerate() {
                    if present >> slot & 1 == 1 {
                        *child = Some(NodeName::decode(input)?);
                    }
                }
                Ok(Node::Inner(children))
            }
            _ => Err(CodecError::Invalid("state node")),
        }
    }
}

/// One state of a room. Two states of one database are equal exactly when their roots are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Root {
    /// Zeros for the empty state, which has no node.
    name: NodeName,
    count: u32,
}

impl Root {
    /// The state with no entries.
    pub const EMPTY: Root = Root { name: NodeName([0; HASH_BYTES]), count: 0 };

    pub(super) fn new(name: NodeName, count: u32) -> Root {
        Root { name, count }
    }

    /// How many entries the state has.
    pub fn count(self) -> u32 {
        self.count
    }

    /// The top node, unless the state is empty.
    pub(crate) fn top(self) -> Option<NodeName> {
        (self.count > 0).then_some(self.name)
    }
}

impl Codec for Root {
    fn encode(&self, out: &mut Encoder) {
        self.name.encode(out);
        self.count.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let root = Root { name: Codec::decode(input)?, count: Codec::decode(input)? };
        if root.count == 0 && root != Root::EMPTY {
            return Err(CodecError::Invalid("root of an empty state"));
        }
        Ok(root)
    }
}

/// Where the algorithms find nodes. They never wait: what is not in memory they name in [`Missing`], and are run again
/// when it is.
pub trait Nodes {
    /// The node of this name, if it is in memory.
    fn node(&self, name: NodeName) -> Option<Arc<Node>>;
}

/// Nodes that an algorithm needs before it can go on, as many as it could tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing(pub Vec<NodeName>);
