//! `[passwords]`: what a password hash costs.

use std::num::NonZeroU32;

use crate::Problems;
use crate::schema::section;

section! {
    /// How passwords are hashed (argon2id). Passwords hashed with other parameters stay valid and are hashed anew at
    /// the next login.
    pub struct Passwords {
        /// Memory of one hash, in KiB.
        pub memory_kib: NonZeroU32 = const { NonZeroU32::new(19_456).unwrap() },
        /// Passes over that memory.
        pub iterations: NonZeroU32 = const { NonZeroU32::new(2).unwrap() },
        /// Lanes of one hash; each takes at least 8 KiB of the memory.
        pub parallelism: NonZeroU32 = NonZeroU32::MIN,
        /// Most hashes at the same time; more logins wait. Bounds both memory and processor time.
        pub concurrent_hashes: NonZeroU32 = const { NonZeroU32::new(2).unwrap() },
    }
}

impl Passwords {
    pub(crate) fn validate(&self, problems: &mut Problems) {
        // RFC 9106, section 3.1: at least 8 KiB for each lane, at most 2^24 - 1 lanes.
        if u64::from(self.memory_kib.get()) < 8 * u64::from(self.parallelism.get()) {
            problems.add("passwords.memory_kib", "less than 8 KiB for each lane");
        }
        if self.parallelism.get() >= 1 << 24 {
            problems.add("passwords.parallelism", "more lanes than argon2 has (2^24 - 1)");
        }
    }
}
