//! See `plop_fuzz::pdu`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plop_fuzz::pdu::target(data));
