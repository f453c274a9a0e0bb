//! Visavis: private face-to-face calls.
//!
//! ```text
//!  camera ──slot──▶ encode ──ring──▶ seal ──ring──▶ network ─────────┐   (sender's threads)
//!  microphone ─ring▶ clean+encode ─ring▶ seal                        │ QUIC datagrams
//!                                                                    ▼
//!  present ◀─slot── decode ◀─ring── open ◀─ring── network: reassemble, repair, reorder   (receiver's threads)
//!  speaker ◀─ring── playout+decode ◀─ring── open
//! ```
//!
//! A *slot* holds the latest value, a *ring* a few small items; see [`media`].
//!
//! # Invariants
//!
//! 1. `ui` names no quinn, cpal, nokhwa or codec crate.
//! 2. `relay`, `directory` and `server` name nothing that can open a frame: no SFrame, no MLS group.
//! 3. `crypto` sees no socket address; `transport` sees no key; `codec` sees no ring; `render` never waits for a decoder.
//! 4. No camera, microphone, candidate address or key package exists before the person accepts: the types make it
//!    impossible (see [`call`]).
//! 5. Bounded everything: queues, message sizes, group size, retries, history; the age of what waits as well as its count.
//! 6. There is no plaintext path. A frame that cannot be sealed is not sent; one that cannot be opened is not shown, and
//!    counted.
//! 7. Panics are bugs, never answers to input. Bytes from the network, a file or a device give an error value.
//!
//! `tests/layering.rs` holds the first three and the direction of the arrows between modules.

/// Version, commit and features, for `--version` and for every document of figures.
pub const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (", env!("VISAVIS_COMMIT"), "; ", env!("VISAVIS_FEATURES"), ")");

pub mod crypto;
pub mod directory;
pub mod engine;
pub mod media;
pub mod net;
pub mod relay;
pub mod store;
pub mod wire;

#[cfg(feature = "client")]
pub mod bench;
#[cfg(feature = "client")]
pub mod call;
#[cfg(feature = "client")]
pub mod capture;
#[cfg(feature = "client")]
pub mod cli;
#[cfg(feature = "client")]
pub mod codec;
#[cfg(feature = "client")]
pub mod render;
#[cfg(feature = "client")]
pub mod sim;
#[cfg(feature = "client")]
pub mod sound;
#[cfg(feature = "client")]
pub mod transport;
#[cfg(feature = "client")]
pub mod ui;

#[cfg(feature = "server")]
pub mod server;
