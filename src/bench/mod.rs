//! Latency of a whole call, measured through real sockets.

pub mod machine;
pub mod summary;
