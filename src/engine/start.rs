//! Starts an engine: its two runtimes on their threads, and the handle to them.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use tokio::sync::{mpsc, oneshot, watch};

use super::config::EngineConfig;
use super::control::{self, Parts};
use super::handle::{COMMAND_QUEUE, Command, DeviceOpens, EngineHandle, Snapshot};
use super::topology::{Ends, Readers};
use crate::media::Doorbell;
use crate::store::profile::{Profile, ProfileError};

/// The threads of an engine; dropping it ends the engine and waits for it.
pub struct Engine {
    commands: mpsc::Sender<Command>,
    control: Option<JoinHandle<Result<(), ProfileError>>>,
    network: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system gives no thread or no timer.
    #[error("the program cannot start its threads: {0}")]
    System(#[from] std::io::Error),
}

impl Engine {
    /// Starts an engine over an open profile.
    pub fn start(profile: Profile, config: EngineConfig) -> Result<(Self, EngineHandle), StartError> {
        let (commands, waiting) = mpsc::channel(COMMAND_QUEUE);
        let (publish, snapshots) = watch::channel(Snapshot::default());
        let opens = Arc::new(DeviceOpens::default());
        let [remote_bell, local_bell, snapshot_bell] = std::array::from_fn(|_| Arc::new(Doorbell::new()));
        let (ends, Readers { remote, local, sent, late }) =
            Ends::new(Arc::clone(&remote_bell), Arc::clone(&local_bell));

        // Media packets have a runtime of their own, so that no key exchange delays them.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let media = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let network = Builder::new().name("net".into()).spawn(move || {
            let _ = runtime.block_on(stopped);
        })?;

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let parts = Parts {
            profile,
            config,
            ends,
            opens: Arc::clone(&opens),
            snapshots: publish,
            snapshot_bell: Arc::clone(&snapshot_bell),
            media,
        };
        let control =
            Builder::new().name("control".into()).spawn(move || runtime.block_on(control::run(parts, waiting)))?;

        let engine = Self { commands: commands.clone(), control: Some(control), network: Some((stop, network)) };
        let handle = EngineHandle {
            commands,
            snapshots,
            remote,
            local,
            sent,
            late,
            remote_bell,
            local_bell,
            snapshot_bell,
            device_opens: opens,
        };
        Ok((engine, handle))
    }

    /// Ends the engine, waits for it, and gives what went wrong with the profile, if anything did.
    pub fn shutdown(mut self) -> Result<(), ProfileError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), ProfileError> {
        let _ = self.commands.try_send(Command::Shutdown);
        let result = self.control.take().and_then(|thread| thread.join().ok()).unwrap_or(Ok(()));
        if let Some((stop, thread)) = self.network.take() {
            let _ = stop.send(());
            let _ = thread.join();
        }
        result
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
