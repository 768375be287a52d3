//! See `plop_fuzz::rows`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plop_fuzz::rows::target(data));
