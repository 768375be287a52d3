//! See `plop_fuzz::tokens`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plop_fuzz::tokens::target(data));
