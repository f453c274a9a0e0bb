//! Latency of a whole call, measured through real sockets.

pub mod call;
pub mod machine;
pub mod pair;
pub mod quality;
pub mod render;
pub mod report;
pub mod summary;
pub mod trace;
pub mod viewer;
