//! Ctrl-C and SIGTERM in the client: noticed on a thread of their own, so that a call is hung up and files are finished
//! before the program ends with exit code 130. A second one ends it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;

use super::exit::{CliError, Exit};
use crate::engine::signals::told_to_stop;

/// Whether the person (or the system) wants the program to end.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Watches from now on; `wake` is called when it came.
    pub fn watch(wake: impl FnOnce() + Send + 'static) -> Result<Self, CliError> {
        let interrupt = Self::default();
        let came = Arc::clone(&interrupt.0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::failure)?;
        let watch = move || {
            if runtime.block_on(told_to_stop()).is_err() {
                return;
            }
            came.store(true, Ordering::Release);
            wake();
            if runtime.block_on(told_to_stop()).is_ok() {
                std::process::exit(i32::from(Exit::Interrupted as u8));
            }
        };
        Builder::new().name("signals".into()).spawn(watch).map_err(CliError::failure)?;
        Ok(interrupt)
    }

    /// Whether it came.
    #[must_use]
    pub fn came(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// The switch itself, for what knows nothing of the command line.
    #[must_use]
    pub fn switch(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// An error if it came.
    pub fn check(&self) -> Result<(), CliError> {
        if self.came() { Err(CliError::new(Exit::Interrupted, "interrupted")) } else { Ok(()) }
    }
}
