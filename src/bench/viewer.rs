//! Who shows the pictures while they are measured: a thread that draws each at its own size into an offscreen target, or
//! one that draws the whole call window there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::call::BenchError;
use crate::engine::clock;
use crate::engine::handle::EngineHandle;
use crate::media::{Doorbell, FrameId, Stamps, VideoFrame};
use crate::render::{EguiOffscreen, Gpu, Image, Presenter, RenderError, UiFrame, VideoPainter};
use crate::ui::{App, HudSize, Measuring, Observer, Seen};

/// Frames that were shown and wait to be counted: more than comes between two looks.
const SHOWN: usize = 256;
/// The first shown picture that is kept for comparison, and one in so many after it at the least.
const KEPT_FIRST: u64 = 20;
const KEPT_EVERY: u64 = 61;
/// Most pictures that are kept: of a long run fewer, all along it.
const KEPT: usize = 48;
/// How often a viewer looks whether it is to stop.
const NAP: Duration = Duration::from_millis(50);

/// What a viewer tells.
pub struct Sight {
    /// Each frame that was drawn, with its record.
    pub shown: Receiver<(FrameId, Stamps)>,
    /// Some of the pictures.
    pub kept: Receiver<VideoFrame>,
    /// Each frame of the window, where there is one and they are recorded.
    pub frames: Receiver<UiFrame>,
}

impl Sight {
    /// What a window tells, and the observer that it is to be given.
    #[must_use]
    pub fn of_window() -> (Observer, Self) {
        let (tell, shown) = sync_channel(SHOWN);
        let (_, kept) = sync_channel(1);
        let (draw, frames) = sync_channel(SHOWN);
        let observer = Box::new(move |seen: Seen<'_>| {
            // Full: nobody counts any more.
            let _ = match seen {
                Seen::Picture(id, stamps) => tell.try_send((id, *stamps)).is_ok(),
                Seen::Frame(frame) => draw.try_send(*frame).is_ok(),
            };
        });
        (observer, Self { shown, kept, frames })
    }
}

/// A running viewer.
pub struct Viewer {
    stop: Arc<AtomicBool>,
    snap: Arc<AtomicBool>,
    bell: Arc<Doorbell>,
    thread: JoinHandle<Result<Option<Image>, RenderError>>,
}

impl Viewer {
    /// Shows offscreen what `handle`'s peer sends; the pictures go to the viewer, the rest stays with the handle. Of so many
    /// `frames` some are kept for comparison.
    pub fn offscreen(gpu: &Gpu, handle: &mut EngineHandle, frames: u64) -> Result<(Self, Sight), BenchError> {
        let handle = handle.give_pictures();
        let bell = Arc::clone(&handle.remote_bell);
        let presenter = Presenter::new(gpu.clone(), Arc::clone(&bell))?;
        let (tell, shown) = sync_channel(SHOWN);
        let (keep, kept) = sync_channel(KEPT);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let every = (frames / (KEPT as u64 - 1)).max(KEPT_EVERY);
        let thread = Builder::new().name("present".into()).spawn(move || {
            present(presenter, handle, &tell, (&keep, every), &stopped)?;
            Ok(None)
        })?;
        Ok((Self { stop, snap: Arc::default(), bell, thread }, Sight { shown, kept, frames: sync_channel(1).1 }))
    }

    /// Shows the whole call window offscreen, `width` × `height` pixels large, and records its frames. No picture is kept for
    /// comparison: the window scales them.
    pub fn call_window(
        gpu: &Gpu,
        handle: &mut EngineHandle,
        (width, height): (u32, u32),
    ) -> Result<(Self, Sight), BenchError> {
        let handle = handle.give_pictures();
        let bell = Arc::new(Doorbell::new());
        let window = EguiOffscreen::new(gpu.clone(), width, height, 1.0)?;
        let painter = VideoPainter::offscreen(gpu)?;
        let (observer, sight) = Sight::of_window();
        let (stop, snap) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (stop, snap, bell) = (Arc::clone(&stop), Arc::clone(&snap), Arc::clone(&bell));
            Builder::new().name("window".into()).spawn(move || {
                let mut app = App::new(window.context(), handle, &painter);
                app.measure(Measuring { observer, with_frames: true, hud: HudSize::Off });
                draw_window(window, app, &bell, &stop, &snap)
            })?
        };
        Ok((Self { stop, snap, bell, thread }, sight))
    }

    /// Has the call window as it is now photographed; [`Viewer::finish`] gives the picture.
    pub fn photograph(&self) {
        self.snap.store(true, Ordering::Release);
        self.bell.ring();
    }

    /// Stops showing; an error if something had gone wrong with it. Gives the photograph, if one was asked for.
    pub fn finish(self) -> Result<Option<Image>, BenchError> {
        self.stop.store(true, Ordering::Release);
        self.bell.ring();
        let result = self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        result.map_err(BenchError::from)
    }
}

/// Draws the window whenever something in it has changed.
fn draw_window(
    mut window: EguiOffscreen,
    mut app: App,
    bell: &Arc<Doorbell>,
    stop: &AtomicBool,
    snap: &AtomicBool,
) -> Result<Option<Image>, RenderError> {
    bell.attend();
    let woken = Arc::clone(bell);
    window.context().set_request_repaint_callback(move |request| {
        // What is to be drawn later is seen at the next look; "now" may be a nanosecond away.
        if request.delay < Duration::from_millis(1) {
            woken.ring();
        }
    });
    let mut photograph = None;
    while !stop.load(Ordering::Acquire) {
        window.frame(clock::now(), |ui| app.ui(ui));
        window.settle()?;
        if snap.swap(false, Ordering::AcqRel) {
            photograph = Some(window.picture()?);
        }
        bell.wait(Some(NAP));
    }
    Ok(photograph)
}

fn present(
    mut presenter: Presenter,
    mut handle: EngineHandle,
    tell: &SyncSender<(FrameId, Stamps)>,
    (keep, every): (&SyncSender<VideoFrame>, u64),
    stop: &AtomicBool,
) -> Result<(), RenderError> {
    handle.remote_bell.attend();
    let mut count = 0_u64;
    while !stop.load(Ordering::Acquire) {
        while let Some(shown) = presenter.poll_shown()? {
            // Full: nobody counts any more.
            let _ = tell.try_send(shown);
        }
        if presenter.has_room()
            && let Some(frame) = handle.remote.take()
        {
            count += 1;
            if count % every == KEPT_FIRST {
                // Full: enough are kept.
                let _ = keep.try_send(frame.clone());
            }
            presenter.show(frame)?;
        } else {
            handle.remote_bell.wait(Some(NAP));
        }
    }
    Ok(())
}
