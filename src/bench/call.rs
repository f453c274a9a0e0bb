//! `bench call`: a whole call on this machine, every frame followed from its capture to the GPU's completion.
//!
//! The boundary is [`Stage::GpuDone`]: the picture was drawn, which is neither a window's present nor light. Frame
//! counts cover the whole call; latencies leave its first second out ([`WARM_UP`]), processor time too.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::Duration;

use super::company::{Company, Guests, Joined, Who};
use super::ledger;
use super::machine::{Meter, Spent};
use super::pair::{Endpoint, Pair, PairError};
use super::quality;
use super::report::Quality;
use super::viewer::{Sight, Viewer};
use crate::capture::pattern::Pattern;
use crate::capture::{CaptureError, SourceFormat};
use crate::engine::clock;
use crate::engine::config::{Adaptation, EncoderChoice, EngineConfig, SoundChoice, VideoChoice, VideoSettings};
use crate::engine::handle::{ActiveView, CallView, Command, FrameCounts, PathView, SendingView, SentFrame, Snapshot};
use crate::media::{FrameId, PicturePool, Scaler, Stage, Stamps, Timestamp};
use crate::net::PathPolicy;
use crate::net::impair::{Impairment, Uplink};
use crate::render::{Gpu, RenderError, UiFrame};
use crate::sim::{LinkConfig, LinkRecord, LinkWatch};
use crate::ui::{self, HudSize, Measuring, WindowError};

/// Left out of the latencies: the first keyframe, and the rate control that finds its feet.
pub const WARM_UP: Duration = Duration::from_secs(1);
/// Longest time for a direct path.
const DIRECT: Duration = Duration::from_secs(5);
/// How long frames may still arrive when the source is off.
const DRAIN: Duration = Duration::from_millis(400);
/// How often figures are collected.
pub const LOOK: Duration = Duration::from_millis(50);

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct CallBench {
    /// The callee sends nothing: the load of one side of a call.
    pub one_way: bool,
    /// Length of the talk.
    pub seconds: u64,
    /// Pictures.
    pub video: VideoSettings,
    /// Where they come from.
    pub source: VideoChoice,
    /// What the caller says.
    pub microphone: SoundChoice,
    /// Where the callee hears it.
    pub speaker: SoundChoice,
    /// Which way the packets may go.
    pub path: PathPolicy,
    /// The caller's link, modelled.
    pub link: Option<Arc<LinkConfig>>,
    /// Who shares that link, if there is one.
    pub company: Option<Company>,
    /// How sending follows the path.
    pub adaptation: Adaptation,
    /// Where the pictures are shown.
    pub present: Present,
    /// The figures over the call, where it is shown in a window.
    pub hud: HudSize,
    /// The window's own frames are recorded.
    pub trace: bool,
    /// Set to end the run early, without figures.
    pub stop: Arc<AtomicBool>,
}

/// Where pictures are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    /// Each at its own size, without a window.
    Offscreen,
    /// In the call's window, which needs the main thread.
    Window,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The two clients.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// The GPU.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The source cannot be drawn again for the comparison.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The window.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// The system gives no thread.
    #[error("the program cannot start its threads: {0}")]
    Thread(#[from] std::io::Error),
    /// Somebody wanted it to end.
    #[error("interrupted")]
    Stopped,
    /// Whoever was to share the link, with what became of them.
    #[error("the {0} beside the call: {1}")]
    Company(&'static str, String),
    /// The call ended while it was measured.
    #[error("the call ended early: {0}")]
    Ended(String),
}

/// What was measured of the caller's pictures.
#[derive(Default)]
pub struct Measured {
    /// When the talk began, and when the source went off.
    pub talk: (Timestamp, Timestamp),
    /// Every frame that was sent, with the sender's record.
    pub sent: Vec<SentFrame>,
    /// Every frame that was shown, with its whole record, in the order of showing.
    pub shown: Vec<(FrameId, Stamps)>,
    /// Every frame of the window in which they were shown, if it was recorded.
    pub ui_frames: Vec<UiFrame>,
    /// The caller's counters at the end.
    pub caller: FrameCounts,
    /// The callee's counters at the end.
    pub callee: FrameCounts,
    /// How the caller sent its pictures in the end.
    pub sending: SendingView,
    /// Most frames that encoder and decoder held back.
    pub depth: (u32, u32),
    /// Which way the packets went in the end.
    pub path: PathView,
    /// Round trip of that way at the end, as the caller's connection measures it.
    pub round_trip_ms: Option<f32>,
    /// What the modelled link saw of the caller's packets.
    pub link: Option<LinkRecord>,
    /// Who shared it, and what it saw of theirs.
    pub company: Option<(Who, Joined)>,
    /// Pictures against their originals.
    pub quality: Option<Quality>,
    /// From the caller's microphone to the callee's speaker, where there were both.
    pub mouth_to_ear_ms: Option<f32>,
    /// What it cost after the warm-up.
    pub spent: Spent,
    /// What following a frame takes by itself.
    pub ledger: Duration,
    /// Name and interface of the GPU.
    pub gpu: (String, String),
}

impl CallBench {
    /// Runs the call. `progress` is told the seconds that have passed.
    pub fn run(&self, progress: impl Fn(u64) + Send) -> Result<Measured, BenchError> {
        match self.present {
            Present::Offscreen => self.run_offscreen(progress),
            Present::Window => self.run_in_window(progress),
        }
    }

    fn run_offscreen(&self, progress: impl Fn(u64)) -> Result<Measured, BenchError> {
        let gpu = Gpu::open()?;
        let up = Arc::new(Uplink::default());
        let (mut pair, watch) = self.start(Some(&up))?;
        let begun = Arc::new(AtomicBool::new(false));
        let invited = self.company.zip(self.link.as_ref());
        let guests = invited.map(|(company, link)| Guests::invite(company, self, link, &up, Arc::clone(&begun)));
        let guests = guests.transpose()?;
        let frames = self.seconds * u64::from(self.video.fps);
        let (far, sight) = Viewer::offscreen(&gpu, &mut pair.callee.handle, frames)?;
        // Both ways, both sides show.
        let near = self.near_viewer(&gpu, &mut pair)?;
        pair.talk(!self.one_way)?;
        begun.store(true, Ordering::Release);
        let measured = self.measure(&mut pair.caller, &mut pair.callee, &sight, &progress);
        let company = guests.map(Guests::leave).transpose();
        // What ended the call itself comes first.
        let (measured, company) = (measured?, company?.flatten());
        far.finish()?;
        if let Some((near, _)) = near {
            near.finish()?;
        }
        pair.shutdown();
        let quality = self.compare(&measured.sent, &sight)?;
        let gpu = (gpu.name().to_owned(), gpu.backend().to_owned());
        let link = watch.map(|watch| watch.take());
        Ok(Measured { link, company, quality, ledger: ledger::cost(), gpu, ..measured })
    }

    /// The window closes at the end. No picture is compared: it scales them.
    fn run_in_window(&self, progress: impl Fn(u64) + Send) -> Result<Measured, BenchError> {
        let gpu = Gpu::open()?;
        let name = (gpu.name().to_owned(), gpu.backend().to_owned());
        let (mut pair, watch) = self.start(None)?;
        let near = self.near_viewer(&gpu, &mut pair)?;
        drop(gpu);
        let handle = pair.callee.handle.give_pictures();
        let (bell, closing) = (Arc::clone(&handle.snapshot_bell), Arc::new(AtomicBool::new(false)));
        let (observer, sight) = Sight::of_window();
        let measured = std::thread::scope(|scope| {
            let (pair, closed) = (&mut pair, Arc::clone(&closing));
            let call = move || {
                let measured = pair
                    .talk(!self.one_way)
                    .map_err(BenchError::from)
                    .and_then(|()| self.measure(&mut pair.caller, &mut pair.callee, &sight, progress));
                closed.store(true, Ordering::Release);
                bell.ring();
                measured
            };
            let call = Builder::new().name("bench".into()).spawn_scoped(scope, call)?;
            let shown = ui::run(handle, Some(Measuring { observer, with_frames: self.trace, hud: self.hud }), closing);
            let measured = call.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            shown?;
            measured
        })?;
        if let Some((near, _)) = near {
            near.finish()?;
        }
        pair.shutdown();
        let link = watch.map(|watch| watch.take());
        Ok(Measured { link, ledger: ledger::cost(), gpu: name, ..measured })
    }

    /// Who shows the caller what comes back, if anything does.
    fn near_viewer(&self, gpu: &Gpu, pair: &mut Pair) -> Result<Option<(Viewer, Sight)>, BenchError> {
        (!self.one_way).then(|| Viewer::offscreen(gpu, &mut pair.caller.handle, 0)).transpose()
    }

    /// The two clients, and who watches the modelled link between them, whose sending direction may be shared.
    fn start(&self, up: Option<&Arc<Uplink>>) -> Result<(Pair, Option<Arc<LinkWatch>>), BenchError> {
        let watch = self.link.as_ref().map(|_| Arc::new(LinkWatch::default()));
        let link = self.link.clone().map(|link| {
            let (watch, shared) = (watch.clone(), up.cloned());
            Impairment { watch, shared, ..Impairment::new(link, clock::now) }
        });
        Ok((self.pair(link)?, watch))
    }

    /// Two clients as they are wanted, over this link.
    pub fn pair(&self, link: Option<Impairment>) -> Result<Pair, PairError> {
        let config = |source, microphone, speaker, link| EngineConfig {
            accept_strangers: false,
            video: self.video,
            video_source: Some(source),
            microphone: Some(microphone),
            speaker: Some(speaker),
            raw_microphone: false,
            path: Some(self.path),
            link,
            adaptation: self.adaptation,
        };
        let call = config(self.source.clone(), self.microphone.clone(), SoundChoice::None, link);
        let source = if self.one_way { VideoChoice::None } else { self.source.clone() };
        let mut answer = config(source, SoundChoice::None, self.speaker.clone(), None);
        if self.one_way {
            // It encodes nothing, so it need not try encoders.
            answer.video.encoder = EncoderChoice::Aom;
        }
        Pair::start(("caller", call), ("callee", answer))
    }

    /// Follows the pictures that `from` sends and `to` shows, and ends the call.
    pub fn measure(
        &self,
        from: &mut Endpoint,
        to: &mut Endpoint,
        sight: &Sight,
        progress: impl Fn(u64),
    ) -> Result<Measured, BenchError> {
        if self.path == PathPolicy::Direct {
            let direct = |now: &Snapshot| matches!(&now.call, CallView::Active(view) if view.path == PathView::Direct);
            from.handle.wait_for(Some(DIRECT), direct).ok_or(PairError::Stopped)?;
        }
        let frames = self.seconds as usize * self.video.fps as usize + 64;
        let (mut sent, mut shown) = (Vec::with_capacity(frames), Vec::with_capacity(frames));
        let mut ui_frames = Vec::new();
        let mut depth = (0, 0);
        let begin = clock::now();
        let end = begin + Duration::from_secs(self.seconds);
        let mut meter: Option<Meter> = None;
        loop {
            let now = clock::now();
            if meter.is_none() && now.since(begin) >= WARM_UP {
                meter = Some(Meter::start());
            }
            collect(from, sight, &mut sent, &mut shown);
            ui_frames.extend(sight.frames.try_iter());
            let (near, far) = (active(from)?, active(to)?);
            depth.0 = depth.0.max(near.frames.encoder_depth);
            depth.1 = depth.1.max(far.frames.decoder_depth);
            if now >= end {
                break;
            }
            if self.stop.load(Ordering::Acquire) {
                return Err(BenchError::Stopped);
            }
            progress(now.since(begin).as_secs());
            std::thread::sleep(LOOK);
        }
        let spent = meter.unwrap_or_else(Meter::start).stop();
        let talk = (begin, clock::now());

        from.send(Command::SetCamera { on: false })?;
        std::thread::sleep(DRAIN);
        collect(from, sight, &mut sent, &mut shown);
        ui_frames.extend(sight.frames.try_iter());
        let (near, far) = (active(from)?, active(to)?);
        from.hang_up()?;
        Ok(Measured {
            talk,
            shown: complete(shown, &sent),
            ui_frames,
            sent,
            caller: near.frames,
            sending: near.sending,
            callee: far.frames,
            depth,
            path: near.path,
            round_trip_ms: match near.path {
                PathView::Direct => near.round_trips_ms.1,
                PathView::Relay => near.round_trips_ms.0,
                PathView::Reconnecting => None,
            },
            link: None,
            company: None,
            quality: None,
            mouth_to_ear_ms: far.sound.counts.mouth_to_ear_ms,
            spent,
            // Measured when everybody has left.
            ledger: Duration::ZERO,
            gpu: Default::default(),
        })
    }

    /// Draws the kept pictures again and compares. Only the pattern can be drawn again by number.
    fn compare(&self, sent: &[SentFrame], sight: &Sight) -> Result<Option<Quality>, BenchError> {
        if self.source != VideoChoice::Pattern {
            return Ok(None);
        }
        let VideoSettings { width, height, fps, .. } = self.video;
        let pattern = Pattern::new(SourceFormat::new(width, height, fps))?;
        let mut pool = PicturePool::new(1);
        // Smaller ones are compared as they are seen, at the size of the original.
        let mut enlarger = Scaler::new(1);
        let (mut psnr, mut ssim) = (Vec::new(), Vec::new());
        for shown in sight.kept.try_iter() {
            let original = sent.iter().find(|sent| sent.id == shown.id).map(|sent| sent.picture);
            let (Some(number), Some(captured)) = (original, shown.stamps.get(Stage::Captured)) else { continue };
            let Some(mut picture) = pool.acquire(width, height, shown.picture.colour()) else { continue };
            pattern.draw(number, captured, &mut picture);
            let original = pool.finish(picture);
            let Some(shown) = enlarger.scale(&shown.picture, (width, height)) else { continue };
            psnr.extend(quality::psnr_y(&original, &shown));
            ssim.extend(quality::ssim_y(&original, &shown));
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let compared = psnr.len().min(ssim.len());
        Ok((compared > 0).then(|| {
            let ssim_y = mean(&ssim);
            Quality { psnr_y: mean(&psnr), ssim_y, ssim_y_db: quality::ssim_db(ssim_y), pictures: compared }
        }))
    }
}

fn collect(from: &mut Endpoint, sight: &Sight, sent: &mut Vec<SentFrame>, shown: &mut Vec<(FrameId, Stamps)>) {
    while let Some(frame) = from.handle.sent.pop() {
        sent.push(frame);
    }
    shown.extend(sight.shown.try_iter());
}

fn active(endpoint: &Endpoint) -> Result<ActiveView, BenchError> {
    endpoint.handle.talk().map_err(BenchError::Ended)
}

/// What the receiver cannot know yet when it shows a frame: the sender's times after sealing.
fn complete(mut shown: Vec<(FrameId, Stamps)>, sent: &[SentFrame]) -> Vec<(FrameId, Stamps)> {
    let sent: HashMap<FrameId, &Stamps> = sent.iter().map(|frame| (frame.id, &frame.stamps)).collect();
    for (id, stamps) in &mut shown {
        for stage in [Stage::Sealed, Stage::FirstPacketSent, Stage::LastPacketSent] {
            if let Some(at) = sent.get(id).and_then(|sender| sender.get(stage)) {
                stamps.set(stage, at);
            }
        }
    }
    shown
}
