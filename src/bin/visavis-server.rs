//! The server: directory and relay on one UDP port.

use std::alloc::System;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use visavis::engine::signals::told_to_stop;
use visavis::net::LOG_FILTER;
use visavis::server::{RunningServer, ServerConfig, ServerError, disclose};
use zeroizing_alloc::ZeroAlloc;

/// Where monitoring asks, if nothing else is said.
const METRICS: &str = "127.0.0.1:4475";

/// Directory and relay for Visavis calls. Prints the address with key that clients need.
#[derive(Debug, Parser)]
#[command(name = "visavis-server", version = visavis::VERSION)]
struct Arguments {
    /// Where to listen (UDP).
    #[arg(long, env = "VISAVIS_LISTEN", value_name = "ADDR", default_value = "0.0.0.0:4474")]
    listen: SocketAddr,
    /// Where accounts and the server's key are kept.
    #[arg(long, global = true, env = "VISAVIS_DATA", value_name = "DIR", default_value = "visavis-server-data")]
    data: PathBuf,
    /// Host name that clients use; handles end in it. By default the listening address, or this machine's own.
    #[arg(long, env = "VISAVIS_DOMAIN", value_name = "HOST")]
    domain: Option<String>,
    /// Tell what the server counts of itself, as /healthz and /metrics (Prometheus) over HTTP: at
    /// 127.0.0.1:4475, to this machine alone, unless another address is given.
    #[arg(long, env = "VISAVIS_METRICS", value_name = "ADDR", num_args = 0..=1, default_missing_value = METRICS)]
    metrics: Option<SocketAddr>,
    /// What else to do.
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print all that this server holds about a handle, whether it runs or not.
    Disclose {
        /// `name@host`, or only the name.
        handle: String,
        /// Print JSON, for other programs.
        #[arg(long)]
        json: bool,
    },
}

/// What the server frees is overwritten: an envelope that has expired is in its memory no more.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

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
                ServerError::Listen { .. } | ServerError::Metrics { .. } => 5,
                ServerError::Data(_) | ServerError::System(_) => 1,
            })
        }
    }
}

fn run(arguments: Arguments) -> Result<(), ServerError> {
    let Arguments { listen, data, domain, metrics, command } = arguments;
    let system = |error: std::io::Error| ServerError::System(error.to_string());
    if let Some(Command::Disclose { handle, json }) = command {
        let name = handle.split_once('@').map_or(handle.as_str(), |(name, _)| name);
        let held = disclose(&data, &name.to_lowercase())?;
        let text =
            if json { serde_json::to_string_pretty(&held).map(|text| text + "\n") } else { Ok(held.to_string()) };
        return std::io::stdout().write_all(text.map_err(|error| system(error.into()))?.as_bytes()).map_err(system);
    }
    let server = RunningServer::start_measured(&ServerConfig { listen, data, domain }, metrics)?;
    writeln!(std::io::stdout(), "{}", server.address()).map_err(system)?;
    if let Some(address) = server.metrics_address() {
        eprintln!("Figures for monitoring: http://{address}/metrics");
        if !address.ip().is_loopback() {
            eprintln!("Whoever can reach {address} can read them: how much this server is used, and when.");
        }
    }
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
