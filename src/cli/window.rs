//! `visavis` without a subcommand: the window.

use super::exit::{CliError, Exit};
use crate::engine::Engine;
use crate::engine::config::EngineConfig;
use crate::store::profile::Profile;
use crate::ui::{self, WindowError};

/// Opens the window over a profile and stays until it is closed. A call that runs then is hung up.
pub fn window(profile: &str) -> Result<(), CliError> {
    let profile = Profile::open_named(profile).map_err(CliError::failure)?;
    let (engine, handle) = Engine::start(profile, EngineConfig::default()).map_err(CliError::failure)?;
    let shown = ui::run(handle).map_err(|error| match error {
        WindowError::NoDisplay(_) | WindowError::NoGpu(_) => CliError::new(Exit::NoDevice, error),
        WindowError::Other(_) => CliError::failure(error),
    });
    let ended = engine.shutdown().map_err(CliError::failure);
    shown.and(ended)
}
