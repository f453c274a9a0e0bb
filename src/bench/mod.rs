//! A whole call, measured through real sockets: latency, and what a bad network leaves of it.

pub mod call;
pub mod company;
pub mod figures;
pub mod html;
pub mod ledger;
pub mod machine;
pub mod network;
pub mod optical;
pub mod pair;
pub mod quality;
pub mod render;
pub mod report;
pub mod summary;
pub mod trace;
pub mod viewer;
pub mod window_frames;
