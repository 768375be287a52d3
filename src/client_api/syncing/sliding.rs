//! Sliding sync as HTTP (MSC4186): two dialects of one request.
//!
//! Owns: the list of its parts. Does not own: what is in the answer.

mod accepted;
mod deployed;
mod serving;
mod wanted;

pub use self::accepted::accepted;
pub use self::deployed::deployed;
