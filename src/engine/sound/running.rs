//! A thread that has a device open outside a call.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};

use crate::media::Doorbell;

/// A thread that ends, and has closed its device, when this is dropped.
pub struct Running {
    stop: Arc<AtomicBool>,
    bell: Arc<Doorbell>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts `body`, which attends `bell` and returns soon after the flag that it is given is set and the bell rung.
    pub fn start(
        name: &str,
        bell: Arc<Doorbell>,
        body: impl FnOnce(&AtomicBool, &Arc<Doorbell>) + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, rung) = (Arc::clone(&stop), Arc::clone(&bell));
        let body = move || {
            rung.attend();
            body(&stopped, &rung);
        };
        let thread = Builder::new().name(name.into()).spawn(body)?;
        Ok(Self { stop, bell, thread: Some(thread) })
    }

    /// Whether it has ended by itself.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.bell.ring();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
