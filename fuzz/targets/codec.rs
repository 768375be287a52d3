//! See `plop_fuzz::codec`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plop_fuzz::codec::target(data));
