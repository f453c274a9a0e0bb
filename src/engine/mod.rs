//! Clock, threads and rings, send and receive paths, control, and the handle that the window holds.

pub mod clock;
#[cfg(feature = "client")]
pub mod config;
#[cfg(feature = "client")]
pub mod counters;
#[cfg(feature = "client")]
pub mod handle;
#[cfg(feature = "client")]
pub mod video;
