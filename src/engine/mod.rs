//! Clock, threads and rings, send and receive paths, control, and the handle that the window holds.

#[cfg(feature = "client")]
pub mod account;
#[cfg(feature = "client")]
mod call_view;
#[cfg(feature = "client")]
mod capture;
pub mod clock;
#[cfg(feature = "client")]
mod command;
#[cfg(feature = "client")]
pub mod config;
#[cfg(feature = "client")]
pub mod contacts;
#[cfg(feature = "client")]
mod control;
#[cfg(feature = "client")]
pub mod counters;
#[cfg(feature = "client")]
pub mod devices;
#[cfg(feature = "client")]
mod direct;
#[cfg(feature = "client")]
pub mod door;
#[cfg(feature = "client")]
mod encoder;
#[cfg(feature = "client")]
mod encoding;
#[cfg(feature = "client")]
pub mod handle;
#[cfg(feature = "client")]
pub mod household;
#[cfg(feature = "client")]
pub mod lipsync;
#[cfg(feature = "client")]
mod outbox;
#[cfg(feature = "client")]
mod path;
#[cfg(feature = "client")]
mod peer_clock;
#[cfg(feature = "client")]
mod preview;
#[cfg(feature = "client")]
pub mod queues;
#[cfg(feature = "client")]
mod receive;
#[cfg(feature = "client")]
mod sealing;
#[cfg(feature = "client")]
pub mod secret;
#[cfg(feature = "client")]
mod seen;
#[cfg(feature = "client")]
mod session;
pub mod signals;
#[cfg(feature = "client")]
pub mod sound;
#[cfg(feature = "client")]
pub mod sources;
#[cfg(feature = "client")]
pub mod standing;
#[cfg(feature = "client")]
mod start;
#[cfg(feature = "client")]
mod topology;
#[cfg(feature = "client")]
mod video;
#[cfg(feature = "client")]
pub mod zoom;

#[cfg(feature = "client")]
pub use start::{Engine, StartError};
