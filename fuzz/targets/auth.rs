//! See `plop_fuzz::auth`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plop_fuzz::auth::target(data));
