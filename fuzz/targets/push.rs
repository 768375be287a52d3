//! See `plop_fuzz::push`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plop_fuzz::push::target(data));
