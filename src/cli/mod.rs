//! The command line, one file a subcommand. Data goes to stdout, log and progress to stderr.

mod account;
mod account_devices;
mod args;
mod bench;
mod bench_network;
mod bench_optical;
mod call;
mod checks;
mod contact;
mod demo;
mod devices;
mod doctor;
mod exit;
mod frame_log;
mod interrupt;
mod link;
mod one_way;
mod output;
mod passphrase;
mod profile;
mod recorder;
mod terminal;
mod tracer;
mod window;
mod witness;

use std::io;

use clap::CommandFactory;
use tracing_subscriber::EnvFilter;

pub use args::{Cli, CliCommand};
pub use exit::{CliError, Exit};
pub use frame_log::FrameLog;
pub use recorder::Recorder;

use crate::net::LOG_FILTER;

/// Sends the log to standard error, as loud as the options and `RUST_LOG` say.
pub fn start_log(cli: &Cli) {
    let default = match (cli.quiet, cli.verbose) {
        (true, _) => "error",
        // The window system's library warns of screens without a size and the like, which nobody can mend.
        (false, 0) => "warn,winit=error",
        (false, 1) => "visavis=info,warn",
        (false, 2) => "visavis=debug,info",
        (false, _) => "trace",
    };
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{default},{LOG_FILTER}")));
    let colour = std::env::var_os("NO_COLOR").is_none() && io::IsTerminal::is_terminal(&io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colour).init();
}

/// Does what was asked.
pub fn run(cli: &Cli) -> Result<(), CliError> {
    let Some(command) = &cli.command else { return window::window(&cli.profile) };
    match command {
        CliCommand::Call(arguments) => call::call(&cli.profile, arguments),
        CliCommand::Answer(arguments) => call::answer(&cli.profile, arguments),
        CliCommand::Contact(command) => contact::contact(&cli.profile, command),
        CliCommand::Devices(arguments) => devices::devices(arguments),
        CliCommand::Doctor(arguments) => doctor::doctor(&cli.profile, arguments),
        CliCommand::Account(command) => account::account(&cli.profile, command),
        CliCommand::Profile(command) => profile::profile(&cli.profile, command),
        CliCommand::Demo(arguments) => demo::demo(arguments),
        CliCommand::Bench(command) => bench::bench(command),
        CliCommand::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "visavis", &mut script);
            output::say(&String::from_utf8_lossy(&script))
        }
        CliCommand::Man => {
            let mut command = Cli::command();
            // Names the subcommands in full, as their pages are called.
            command.build();
            let mut pages = Vec::new();
            render_pages(&command, &mut pages).map_err(CliError::failure)?;
            output::say(&String::from_utf8_lossy(&pages))
        }
    }
}

/// The manual page of a command and of every command below it.
fn render_pages(command: &clap::Command, out: &mut Vec<u8>) -> io::Result<()> {
    clap_mangen::Man::new(command.clone()).render(out)?;
    command.get_subcommands().filter(|below| below.get_name() != "help").try_for_each(|below| render_pages(below, out))
}
