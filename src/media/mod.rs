//! What flows through a call: pictures, audio blocks, encoded frames, their ids, times and stage stamps,
//! and the two ways they travel between threads: the latest-value [`slot`] and the bounded [`ring`].
//!
//! Sans-IO: nothing here reads a clock, opens a device or starts a thread.

pub mod clock_offset;
mod doorbell;
mod encoded;
mod id;
#[cfg(test)]
mod interleavings;
mod picture;
mod recent;
mod ring;
mod scale;
mod slot;
mod stamps;
mod time;

pub use clock_offset::ClockOffset;
pub use doorbell::Doorbell;
pub use encoded::{AUDIO_BLOCK_SAMPLES, AudioBlock, EncodedAudio, EncodedVideo, SAMPLE_RATE_HZ, VideoFrame};
pub use id::{FrameId, KeyEpoch, LeafIndex, Stream};
pub use picture::{
    Colour, MAX_DIMENSION, Matrix, Picture, PictureMut, PicturePool, Plane, PlaneStore, PoolCounts, Range, chroma_size,
};
pub use recent::RecentFrames;
pub use ring::{RingReceiver, RingSender, RingStats, ring};
pub use scale::Scaler;
pub use slot::{SlotReader, SlotStats, SlotWriter, slot};
pub use stamps::{STAGES, Stage, Stamps};
pub use time::Timestamp;
