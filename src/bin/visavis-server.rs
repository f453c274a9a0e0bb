//! Visavis.
fn main() {}
