//! Signatures of JSON and of events (appendices, "Signing JSON"; server-server API, "Signing Events").
//!
//! Owns: our signing key, other servers' verify keys and when they count, signing and strict verification.
//!
//! Does not own: fetching or storing keys; signatures that a policy server adds.
//!
//! Invariants: ed25519 is verified strictly (no small-order keys, no second encoding of a signature); a key that the
//! public knows is neither used nor believed.

mod event;
mod keys;
mod object;

pub(crate) use event::sign_event;
pub use event::{SignatureError, Verified, countersign, keys_wanted, required_signers, verify};
pub use keys::{KeyError, KeyId, SigningKey, Validity, VerifyKey, VerifyKeys};
pub use object::{sign_json, verify_json};

#[cfg(test)]
mod tests;
