//! The encoders there are, by name.

use std::num::NonZero;

use super::aom::AomEncoder;
use super::rav1e::Rav1eEncoder;
use super::{CodecError, VideoEncoder, VideoEncoderConfig};

/// Most threads that an encoder is given: the others of a call need their cores too.
const MOST_THREADS: usize = 4;

/// An AV1 encoder that this program has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EncoderKind {
    /// libaom.
    #[default]
    Aom,
    /// rav1e.
    Rav1e,
}

impl EncoderKind {
    /// All of them, the one that is usually best first.
    pub const ALL: [Self; 2] = [Self::Aom, Self::Rav1e];

    /// Its name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aom => "aom",
            Self::Rav1e => "rav1e",
        }
    }

    /// Threads that it is best run with here. libaom needs one (more only add hand-overs at the sizes of a call);
    /// rav1e needs all it can get.
    #[must_use]
    pub fn threads(self) -> usize {
        match self {
            Self::Aom => 1,
            Self::Rav1e => std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS),
        }
    }

    /// Opens one.
    pub fn open(self, config: &VideoEncoderConfig) -> Result<Box<dyn VideoEncoder>, CodecError> {
        Ok(match self {
            Self::Aom => Box::new(AomEncoder::open(config)?),
            Self::Rav1e => Box::new(Rav1eEncoder::open(config)?),
        })
    }
}
