//! Opaque secrets: access, refresh and login tokens, nonces, identifiers of sessions.
//!
//! Invariants: every secret comes from the server's own randomness with 256 bits, never from a name or the configuration; only its
//! hash is stored or used as a key. The hash needs neither salt nor cost: there is nothing to guess.

use std::fmt;

use plop_base::Random;
use plop_db::codec::{Codec, CodecError, Decoder, Encoder};

/// 43 characters of 5.95 bits.
const SECRET_CHARACTERS: usize = 43;

/// A secret nobody has seen.
pub(crate) fn make_secret(random: &Random) -> String {
    random.token(SECRET_CHARACTERS)
}

/// What is kept of a secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    pub(crate) fn of(secret: &str) -> Self {
        Self(*blake3::hash(secret.as_bytes()).as_bytes())
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

impl Codec for SecretHash {
    fn encode(&self, out: &mut Encoder) {
        self.0.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Codec::decode(input).map(Self)
    }
}
