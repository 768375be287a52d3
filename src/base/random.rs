//! Randomness as a parameter.
//!
//! Owns: where random bytes come from, and the two shapes that need care to be uniform: numbers below a bound and
//! tokens.
//!
//! Invariants: [`Random::system`] is the operating system's cryptographic generator, each call; nothing is kept in
//! the process that could predict the next token. [`Random::seeded`] is for tests and simulation: the same seed
//! gives the same bytes on every platform and in every release, so a printed seed stays a test.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::{SysRng, Xoshiro256PlusPlus};
use rand::{Rng, SeedableRng, TryRng};

/// A source of random bytes. Cheap to clone; clones of a seeded source share one sequence.
#[derive(Clone)]
pub struct Random(Source);

#[derive(Clone)]
enum Source {
    System,
    Seeded(Arc<Mutex<Xoshiro256PlusPlus>>),
}

impl Random {
    /// The operating system's generator: what keys, tokens and secrets are made of.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A reproducible sequence. Predictable: for tests and simulation only.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed)))))
    }

    /// Fills `bytes`.
    ///
    /// # Panics
    /// When the operating system has no random bytes to give. Linux waits until it has, so this is a kernel that
    /// lacks or forbids `getrandom`; there is no safe way to go on.
    pub fn fill(&self, bytes: &mut [u8]) {
        match &self.0 {
            Source::System => {
                if let Err(error) = SysRng.try_fill_bytes(bytes) {
                    panic!("the operating system gives no random bytes: {error}");
                }
            }
            // A panic of another holder leaves the generator in a valid state.
            Source::Seeded(rng) => {
                rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
            }
        }
    }

    /// `N` random bytes: a key, a salt, a nonce.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A uniform number of 64 bits.
    pub fn u64(&self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    /// A uniform number below `bound`; 0 when `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        // The largest multiple of `bound` that fits: numbers from there on would favour small results.
        let limit = u64::MAX - u64::MAX % bound;
        loop {
            let number = self.u64();
            if number < limit {
                return number % bound;
            }
        }
    }

    /// `len` characters, each uniform among `A-Z`, `a-z` and `0-9`: 5.95 bits a character, so 43 characters carry
    /// 256 bits.
    pub fn token(&self, len: usize) -> String {
        const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mut token = String::with_capacity(len);
        while token.len() < len {
            // Six bits of each byte; the two of 64 values that name no character are drawn again.
            let drawn = self.bytes::<32>();
            let characters = drawn.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 63)));
            token.extend(characters.take(len - token.len()).map(|&byte| char::from(byte)));
        }
        token
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::System => "Random::system",
            Source::Seeded(_) => "Random::seeded",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_fixes_the_sequence_for_ever() {
        // A golden value: if it changes, every seed that a failing simulation has printed is void.
        assert_eq!(Random::seeded(1).u64(), 0xcfc5_d07f_6f03_c29b);
        assert_eq!(Random::seeded(7).token(12), Random::seeded(7).token(12));
        assert_ne!(Random::seeded(7).token(12), Random::seeded(8).token(12));
    }

    #[test]
    fn clones_of_a_seeded_source_continue_one_sequence() {
        let one = Random::seeded(3);
        let other = one.clone();
        let (first, second) = (one.u64(), other.u64());
        let whole = Random::seeded(3);
        assert_eq!((first, second), (whole.u64(), whole.u64()));
    }

    #[test]
    fn tokens_have_the_length_asked_for_and_use_every_character() {
        let random = Random::seeded(11);
        for len in [0, 1, 31, 32, 33, 43, 1_000] {
            let token = random.token(len);
            assert_eq!(token.len(), len);
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
        let mut counts = std::collections::BTreeMap::<char, u32>::new();
        random.token(62_000).chars().for_each(|character| *counts.entry(character).or_default() += 1);
        assert_eq!(counts.len(), 62);
        // 1,000 of each is expected; a deviation of 200 is more than six standard deviations.
        assert!(counts.values().all(|&count| (800..1_200).contains(&count)), "{counts:?}");
    }

    #[test]
    fn numbers_below_a_bound_are_below_it_and_reach_both_ends() {
        let random = Random::seeded(5);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.below(1), 0);
        let drawn: std::collections::BTreeSet<u64> = (0..200).map(|_| random.below(6)).collect();
        assert_eq!(drawn, (0..6).collect());
        assert!((0..100).all(|_| random.below(u64::MAX) < u64::MAX));
    }

    #[test]
    fn the_system_source_gives_different_bytes_each_time() {
        let random = Random::system();
        assert_ne!(random.bytes::<32>(), random.bytes::<32>());
        assert_ne!(random.token(20), random.token(20));
    }
}
