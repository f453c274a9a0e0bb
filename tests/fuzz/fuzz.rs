//! One fuzzer for each target, which is named after it.
#![no_main]

#[path = "targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (_, target) = targets::TARGETS.iter().find(|(name, _)| *name == env!("CARGO_BIN_NAME")).expect("a target");
    target(data);
});
