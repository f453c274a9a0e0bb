//! A look at oneself outside a call: the capturing thread without an encoder behind it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{Builder, JoinHandle};

use super::capture::{CaptureThread, SourceShare};
use super::config::{VideoChoice, VideoSettings};
use super::counters::{CallCounters, SendSwitches};
use super::handle::{DeviceOpens, LateStamps, SentFrame};
use super::topology::Ends;
use crate::call::CaptureGrant;
use crate::capture::camera::CameraSystem;
use crate::media::{RingSender, SlotWriter, VideoFrame};

/// What is looked at, and with what.
pub struct PreviewIo {
    /// Where pictures come from.
    pub source: VideoChoice,
    /// The cameras that can be chosen.
    pub cameras: Arc<dyn CameraSystem>,
    /// Size and rate.
    pub video: VideoSettings,
    /// Counts what is opened.
    pub opens: Arc<DeviceOpens>,
}

/// A preview that runs; it keeps the engine's ends until it is stopped.
pub struct Preview {
    /// Which source is wanted, and how it is.
    pub share: Arc<SourceShare>,
    switches: Arc<SendSwitches>,
    thread: JoinHandle<SlotWriter<VideoFrame>>,
    remote: SlotWriter<VideoFrame>,
    sent: RingSender<SentFrame>,
    late: RingSender<LateStamps>,
}

impl Preview {
    /// Opens the source. The grant is the proof that the person asked for it.
    pub fn start(grant: CaptureGrant, io: PreviewIo, ends: Ends) -> io::Result<Self> {
        let Ends { remote, local, sent, late } = ends;
        let share = Arc::new(SourceShare::new(io.source));
        let switches = Arc::new(SendSwitches::new((false, true), &io.video));
        let thread = CaptureThread {
            grant,
            share: Arc::clone(&share),
            cameras: io.cameras,
            video: io.video,
            pictures: None,
            local,
            opens: io.opens,
            switches: Arc::clone(&switches),
            counters: Arc::new(CallCounters::default()),
        };
        let thread = Builder::new().name("preview".into()).spawn(move || thread.run())?;
        Ok(Self { share, switches, thread, remote, sent, late })
    }

    /// Closes the source and gives the ends back; `None` if the thread died.
    pub fn stop(self) -> Option<Ends> {
        self.switches.stop.store(true, Ordering::Release);
        let local = self.thread.join().ok()?;
        Some(Ends { remote: self.remote, local, sent: self.sent, late: self.late })
    }
}
