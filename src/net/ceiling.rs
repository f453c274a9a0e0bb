//! quinn's congestion controller for calls: none of its own. How fast media leave is decided above QUIC, by delay
//! (`transport::rate`); what is left to do here is to hold a connection to the bytes that may be on their way. So a loss by
//! itself changes nothing, and a path that gives no reports any more closes with the rate.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use quinn::congestion::{BbrConfig, Controller, ControllerFactory, CubicConfig};

use super::knobs::FIRST_WINDOW_BYTES;

/// What may be on its way to an end that says nothing: half a minute of sound, and the frames that find out.
pub const SILENT_BYTES: u64 = 512 * 1024;
/// Never less: messages of the call, and a frame.
const LEAST_WINDOW_BYTES: u64 = 16 * 1024;

/// Who says how much a call's connections may have on their way. All but the first are for comparisons: QUIC's own controllers,
/// which take loss for congestion and fill queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ControllerChoice {
    /// The call's own, by delay and above QUIC.
    #[default]
    Ours,
    /// quinn's Cubic.
    Cubic,
    /// quinn's BBR.
    Bbr,
}

impl ControllerChoice {
    /// Its name in words and options.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Cubic => "cubic",
            Self::Bbr => "bbr",
        }
    }
}

/// The ceiling of one call's connections: set above, read by quinn.
#[derive(Clone, Debug)]
pub struct Ceiling {
    bytes: Arc<AtomicU64>,
    choice: ControllerChoice,
}

impl Default for Ceiling {
    fn default() -> Self {
        Self::new(ControllerChoice::Ours)
    }
}

impl Ceiling {
    /// A ceiling; without effect unless the choice is ours.
    #[must_use]
    pub fn new(choice: ControllerChoice) -> Self {
        Self { bytes: Arc::new(AtomicU64::new(FIRST_WINDOW_BYTES)), choice }
    }

    /// So many bytes may be on their way from now on.
    pub fn set(&self, bytes: u64) {
        self.bytes.store(bytes.max(LEAST_WINDOW_BYTES), Ordering::Relaxed);
    }

    /// What quinn makes the controllers of the call's connections with.
    #[cfg_attr(not(feature = "client"), expect(dead_code, reason = "a server passes on, and has no choice"))]
    pub(super) fn factory(&self) -> Arc<dyn ControllerFactory + Send + Sync> {
        match self.choice {
            ControllerChoice::Ours => Arc::new(self.clone()),
            ControllerChoice::Cubic => {
                let mut cubic = CubicConfig::default();
                cubic.initial_window(FIRST_WINDOW_BYTES);
                Arc::new(cubic)
            }
            ControllerChoice::Bbr => {
                let mut bbr = BbrConfig::default();
                bbr.initial_window(FIRST_WINDOW_BYTES);
                Arc::new(bbr)
            }
        }
    }
}

impl ControllerFactory for Ceiling {
    fn build(self: Arc<Self>, _: Instant, _: u16) -> Box<dyn Controller> {
        Box::new(Self::clone(&self))
    }
}

impl Controller for Ceiling {
    fn on_congestion_event(&mut self, _: Instant, _: Instant, _: bool, _: u64) {}

    fn on_mtu_update(&mut self, _: u16) {}

    fn window(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        FIRST_WINDOW_BYTES
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
