#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| obs_core::trace::xray_invariants::segment_document(bytes));
