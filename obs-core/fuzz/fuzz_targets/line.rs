#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| obs_core::log::invariants::line(bytes));
