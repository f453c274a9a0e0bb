//! The server: directory and relay on one UDP port.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;
use visavis::engine::signals::told_to_stop;
use visavis::net::LOG_FILTER;
use visavis::server::{RunningServer, ServerConfig, ServerError};

/// Directory and relay for Visavis calls. Prints the address with key that clients need.
#[derive(Debug, Parser)]
#[command(name = "visavis-server", version)]
struct Arguments {
    /// Where to listen (UDP).
    #[arg(long, env = "VISAVIS_LISTEN", value_name = "ADDR", default_value = "0.0.0.0:4474")]
    listen: SocketAddr,
    /// Where accounts and the server's key are kept.
    #[arg(long, env = "VISAVIS_DATA", value_name = "DIR", default_value = "visavis-server-data")]
    data: PathBuf,
    /// Host name that clients use; handles end in it. By default the listening address, or this machine's own.
    #[arg(long, env = "VISAVIS_DOMAIN", value_name = "HOST")]
    domain: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("warn,{LOG_FILTER}")));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("visavis-server: {error}");
            ExitCode::from(match error {
                ServerError::Domain(_) => 2,
                ServerError::Listen { .. } => 5,
                ServerError::Data(_) | ServerError::System(_) => 1,
            })
        }
    }
}

fn run(arguments: Arguments) -> Result<(), ServerError> {
    let Arguments { listen, data, domain } = arguments;
    let server = RunningServer::start(&ServerConfig { listen, data, domain })?;
    let system = |error: std::io::Error| ServerError::System(error.to_string());
    writeln!(std::io::stdout(), "{}", server.address()).map_err(system)?;
    if server.is_address_guessed() {
        let host = &server.address().host;
        eprintln!(
            "Handles end in @{host}, the address that this machine has today: set --domain to a lasting name before people \
             use it."
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    runtime.block_on(told_to_stop()).map_err(system)?;
    server.shutdown();
    Ok(())
}
