//! The thread `gpu-poll` of a window: makes the GPU's completion callbacks come when they are due.
//!
//! Callbacks only run when somebody polls or submits, so without this thread each would come a frame late. It sleeps
//! while nothing is with the GPU. Between a picture's upload and the hand-over to the window system it looks twice a
//! millisecond, since a blocking wait would hold a lock that the hand-over needs; afterwards it sleeps in the driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Builder, JoinHandle};
use std::time::Duration;

use super::RenderError;

/// Pause between two looks before the hand-over.
const PAUSE: Duration = Duration::from_micros(500);
/// Looks after which a picture counts as never submitted: the window was hidden or its surface lost.
const PATIENCE: u32 = 2_000;
/// Longest sleep in the driver; beyond it the GPU hangs and there is nothing to wait for.
const LONGEST: Duration = Duration::from_secs(1);

/// The thread, which ends when this is dropped.
pub struct GpuWatch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Counts of pictures, each number at least as high as the one below it.
#[derive(Default)]
struct Shared {
    /// Given to an encoder.
    begun: AtomicU64,
    /// Handed over to the window system, or given up.
    handed_over: AtomicU64,
    /// Finished by the GPU, or given up.
    done: AtomicU64,
    stop: AtomicBool,
}

/// A picture that is watched.
#[derive(Clone)]
pub struct Watched {
    number: u64,
    shared: Arc<Shared>,
    thread: thread::Thread,
}

impl GpuWatch {
    /// Starts the thread.
    pub fn start(device: wgpu::Device) -> Result<Self, RenderError> {
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        let run = move || its.run(&device);
        let thread = Builder::new().name("gpu-poll".into()).spawn(run).map_err(RenderError::Thread)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Watches a picture whose commands are being recorded. `None` once the thread is gone.
    pub fn begin(&self) -> Option<Watched> {
        let thread = self.thread.as_ref()?.thread().clone();
        let number = self.shared.begun.fetch_add(1, Ordering::AcqRel) + 1;
        thread.unpark();
        Some(Watched { number, shared: Arc::clone(&self.shared), thread })
    }
}

impl Watched {
    /// The window system has it, or nobody ever will: waiting may block now.
    pub fn handed_over(&self) {
        self.shared.handed_over.fetch_max(self.number, Ordering::AcqRel);
        self.thread.unpark();
    }

    /// The GPU has finished it.
    pub fn done(&self) {
        self.shared.done.fetch_max(self.number, Ordering::AcqRel);
    }
}

impl Shared {
    fn run(&self, device: &wgpu::Device) {
        let mut looks = 0;
        while !self.stop.load(Ordering::Acquire) {
            let begun = self.begun.load(Ordering::Acquire);
            if self.done.load(Ordering::Acquire) >= begun {
                looks = 0;
                thread::park();
            } else if self.handed_over.load(Ordering::Acquire) >= begun {
                // Callbacks run inside; a failure (device lost) is the window's to notice.
                let _ = device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(LONGEST) });
                self.done.fetch_max(begun, Ordering::AcqRel);
            } else {
                let _ = device.poll(wgpu::PollType::Poll);
                looks += 1;
                if looks > PATIENCE {
                    self.done.fetch_max(begun, Ordering::AcqRel);
                }
                thread::park_timeout(PAUSE);
            }
        }
    }
}

impl Drop for GpuWatch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
