//! The one codec: order-preserving bytes for keys and for values.
//!
//! Owns: [`Encoder`], [`Decoder`], the [`Codec`] trait, and its implementations for primitives, collections and the
//! identifiers of the protocol.
//!
//! Invariants, for all `a`, `b` of one type: `decode(encode(a)) == a`; `encode(a) < encode(b)` exactly when `a < b`
//! (for types whose order is the natural one of their fields); no encoding is a prefix of another one, so a tuple is its fields
//! one after the other and the prefix of a key is the encoding of its first fields ([`Tail`] excepted, which is why it stands last). Each value has
//! one encoding: decoding refuses every other form, so equal bytes mean equal values.
//!
//! | type | bytes |
//! |---|---|
//! | `u16`, `u32`, `u64` | one byte with the length, then the minimal big-endian digits |
//! | `i64` | like `u64` around a first byte of 0x80; negative numbers mirrored below it |
//! | `u8`, `bool`, `[u8; N]`, `Position` | as they are |
//! | `String`, `Vec<u8>`, `Bytes`, identifiers | 0x00 written as 00 FF, ended by 00 00 |
//! | `Option<T>` | 00, or 01 and the value |
//! | `Vec<T>` and maps | 01 before each element, 00 at the end |
//! | `Tail<T>` | raw to the end |

mod collections;
mod contract;
mod ids;
mod macros;
mod primitives;
#[cfg(test)]
mod tests;

pub use contract::{Codec, CodecError, Decoder, Encoder, POSITION_BYTES, decode, encode};
pub(crate) use contract::{Encoded, PositionSlot, decode_all};
pub use primitives::Tail;
