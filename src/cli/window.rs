//! `visavis` without a subcommand: the window.

use std::sync::Arc;
use std::time::Duration;

use super::args::ProfileArgs;
use super::call;
use super::exit::{CliError, Exit};
use super::interrupt::Interrupt;
use crate::engine::Engine;
use crate::engine::config::EngineConfig;
use crate::ui::{self, WindowError};

/// Longest time that the profile is waited for before the window opens.
const START: Duration = Duration::from_secs(2);

/// Opens the window over a profile and stays until it is closed. A call that runs then is hung up.
pub fn window(profile: &ProfileArgs) -> Result<(), CliError> {
    let profile = profile.open_as_it_is()?;
    let (engine, mut handle) = Engine::start(profile, EngineConfig::default()).map_err(CliError::failure)?;
    if handle.wait_for(Some(START), |now| now.started).is_none() {
        return Err(call::stopped(engine));
    }
    let bell = Arc::clone(&handle.snapshot_bell);
    let interrupt = Interrupt::watch(move || bell.ring())?;
    let shown = ui::run(handle, None, interrupt.switch()).map_err(|error| match error {
        WindowError::NoDisplay(_) | WindowError::NoGpu(_) => CliError::new(Exit::NoDevice, error),
        WindowError::Other(_) => CliError::failure(error),
    });
    let ended = engine.shutdown().map_err(CliError::failure);
    shown.and(ended).and(interrupt.check())
}
