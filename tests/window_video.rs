//! Video in a real window: every frame that is shown is stamped by the GPU and by the hand-over to the window system,
//! and a window without news does not repaint. Needs a display (`tests/with-desktop.sh`); without a harness, because a
//! window belongs to the main thread.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use visavis::media::{Colour, Doorbell, FrameId, PicturePool, SlotReader, SlotWriter, Stage, Stamps, VideoFrame, slot};
use visavis::render::{VideoLook, VideoPainter, VideoView, gpu};

const NAME: &str = "every_frame_shown_in_a_window_is_stamped";
const FRAMES: u32 = 40;
const INTERVAL: Duration = Duration::from_millis(50);
const SILENCE: Duration = Duration::from_millis(800);

struct App {
    frames: SlotReader<VideoFrame>,
    view: VideoView,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    passes: AtomicU32,
    shown: Mutex<Vec<(FrameId, Stamps)>>,
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        self.seen.passes.fetch_add(1, Ordering::Relaxed);
        if let Some(frame) = self.frames.take() {
            self.view.set_frame(frame);
        }
        self.view.paint(ui.painter(), ui.max_rect(), VideoLook { radius: 12.0, ..VideoLook::default() });
        let mut shown = self.seen.shown.lock().unwrap();
        shown.extend(std::iter::from_fn(|| self.view.poll_shown()));
    }
}

fn main() {
    // As every test: left out when another one is asked for by name.
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    if filter.is_some_and(|filter| !NAME.contains(&filter)) {
        return;
    }
    let bell = Arc::new(Doorbell::new());
    let (writer, frames) = slot(Arc::clone(&bell));
    let seen = Arc::new(Seen::default());
    let app_seen = Arc::clone(&seen);
    let feeder_seen = Arc::clone(&seen);
    let options =
        eframe::NativeOptions { wgpu_options: gpu::window_configuration(), ..eframe::NativeOptions::default() };
    let (silent_passes, passes) = std::sync::mpsc::sync_channel(1);
    eframe::run_native(
        "visavis test",
        options,
        Box::new(move |creation| {
            let state = creation.wgpu_render_state.as_ref().ok_or("no GPU")?;
            let painter = VideoPainter::of_window(state)?;
            let ctx = creation.egui_ctx.clone();
            bell.attend_with({
                let ctx = ctx.clone();
                move || ctx.request_repaint()
            });
            thread::Builder::new().name("feeder".into()).spawn(move || {
                let silent = feed(writer, &feeder_seen);
                silent_passes.send(silent).unwrap();
                ctx.send_viewport_cmd(egui::ViewportCommand::Close);
                ctx.request_repaint();
            })?;
            Ok(Box::new(App { frames, view: VideoView::new(painter), seen: app_seen }))
        }),
    )
    .expect("a window: run it by tests/with-desktop.sh");

    let silent = passes.recv().unwrap();
    assert!(silent <= 1, "{silent} repaints without a new frame or input");
    let shown = seen.shown.lock().unwrap();
    assert!(shown.len() as u32 >= FRAMES * 3 / 4, "{} of {FRAMES} frames were shown", shown.len());
    assert!(shown.is_sorted_by(|(one, _), (other, _)| one < other), "each frame once and in order");
    for (id, stamps) in shown.iter() {
        let [upload, done, presented] = [Stage::UploadStart, Stage::GpuDone, Stage::PresentRequested]
            .map(|stage| stamps.get(stage).unwrap_or_else(|| panic!("{id:?} has no {}", stage.name())));
        assert!(upload <= done && upload <= presented, "{id:?}");
    }
    let mut gpu_ms: Vec<f64> = shown.iter().filter_map(|(_, s)| s.millis(Stage::UploadStart, Stage::GpuDone)).collect();
    let mut present_ms: Vec<f64> =
        shown.iter().filter_map(|(_, s)| s.millis(Stage::UploadStart, Stage::PresentRequested)).collect();
    gpu_ms.sort_by(f64::total_cmp);
    present_ms.sort_by(f64::total_cmp);
    println!(
        "test {NAME} ... ok ({} frames; from upload: gpu_done {:.1} ms, present_requested {:.1} ms, medians)",
        shown.len(),
        gpu_ms[gpu_ms.len() / 2],
        present_ms[present_ms.len() / 2]
    );
}

/// Writes all frames, then none; gives the number of UI passes in the silence.
fn feed(mut frames: SlotWriter<VideoFrame>, seen: &Seen) -> u32 {
    let mut pool = PicturePool::new(4);
    thread::sleep(SILENCE);
    for number in 0..FRAMES {
        if let Some(mut picture) = pool.acquire(320, 180, Colour::default()) {
            for (bytes, _) in picture.planes_mut() {
                bytes.fill(60 + 3 * number as u8);
            }
            let picture = pool.finish(picture);
            let before = seen.passes.load(Ordering::Relaxed);
            frames.write(VideoFrame { id: FrameId(number), stamps: Stamps::new(), picture });
            // A slow machine is waited for: the slot would give the place of this frame to the next.
            let mut patience = 100;
            while seen.passes.load(Ordering::Relaxed) == before && patience > 0 {
                thread::sleep(INTERVAL);
                patience -= 1;
            }
        }
        thread::sleep(INTERVAL);
    }
    thread::sleep(SILENCE);
    let before = seen.passes.load(Ordering::Relaxed);
    thread::sleep(SILENCE);
    seen.passes.load(Ordering::Relaxed) - before
}
