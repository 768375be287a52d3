//! See `plop_fuzz::json`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plop_fuzz::json::target(data));
