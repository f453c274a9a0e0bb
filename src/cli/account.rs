//! `visavis account`: the account at the server, its second factor and its end, without a window.

use std::io::{BufRead, Write};

use ed25519_dalek::SigningKey;
use serde::Serialize;

use super::args::{AccountCliCommand, ProfileArgs, TotpCommand};
use super::exit::{CliError, Exit};
use super::{account_devices, output};
use crate::crypto::identity::Identity;
use crate::engine::account::{self, Offer};
use crate::engine::clock;
use crate::net::client::ConnectError;
use crate::store::profile::Profile;
use crate::wire::address::ServerAddress;
use crate::wire::signal::{Refusal, ToClient, ToServer};

/// What `totp status --json` prints.
#[derive(Serialize)]
struct Status {
    schema: u32,
    second_factor: bool,
    recovery_codes_left: Option<u8>,
}

/// Does what was asked.
pub fn account(profile: &ProfileArgs, command: &AccountCliCommand) -> Result<(), CliError> {
    let session = || Session::open(profile.open()?);
    match command {
        AccountCliCommand::Devices(command) => account_devices::account_devices(profile, command),
        AccountCliCommand::Totp(TotpCommand::Status(arguments)) => {
            let left = session()?.recovery_left()?;
            if arguments.json {
                return output::say_json(&Status {
                    schema: 1,
                    second_factor: left.is_some(),
                    recovery_codes_left: left,
                });
            }
            match left {
                Some(left) => output::say(&format!("The second factor is on; {left} recovery codes are left.\n")),
                None => output::say("The second factor is off.\n"),
            }
        }
        AccountCliCommand::Totp(TotpCommand::Enable) => session()?.enable(),
        AccountCliCommand::Totp(TotpCommand::Disable) => {
            let code = typed("Code of the app, or a recovery code")?;
            session()?.ask(&ToServer::DisableTotp { code })?;
            output::say("The second factor is off.\n")
        }
        AccountCliCommand::Delete { yes } => session()?.delete(*yes),
    }
}

/// An open profile and its server.
struct Session {
    profile: Profile,
    handle: String,
    device: SigningKey,
    server: ServerAddress,
    runtime: tokio::runtime::Runtime,
}

impl Session {
    fn open(profile: Profile) -> Result<Self, CliError> {
        let nobody = || CliError::new(Exit::Usage, "this profile has no account yet");
        let server = profile.settings().map_err(CliError::failure)?.server.ok_or_else(nobody)?;
        let server = server.parse().map_err(CliError::failure)?;
        let identity = profile.identity().map_err(CliError::failure)?.ok_or_else(nobody)?;
        let identity = Identity::from_bytes(&identity, clock::unix_now()).map_err(CliError::failure)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::failure)?;
        let (handle, device) = (identity.handle().to_owned(), identity.device().clone());
        Ok(Self { profile, handle, device, server, runtime })
    }

    fn ask(&self, request: &ToServer) -> Result<ToClient, CliError> {
        let answer = self.runtime.block_on(account::ask(&self.server, &self.device, request));
        answer.map_err(|error| match error {
            ConnectError::Refused(Refusal::Unknown) => {
                CliError::failure(format!("the server does not know this device of {}", self.handle))
            }
            ConnectError::Refused(refusal) => CliError::failure(refusal),
            error => CliError::new(Exit::NoNetwork, error),
        })
    }

    /// Recovery codes that are left, if there is a second factor.
    fn recovery_left(&self) -> Result<Option<u8>, CliError> {
        match self.ask(&ToServer::AskSecondFactor)? {
            ToClient::SecondFactor { recovery_left } => Ok(recovery_left),
            _ => Err(CliError::failure("the server gave another answer than was asked for")),
        }
    }

    fn enable(&self) -> Result<(), CliError> {
        if self.recovery_left()?.is_some() {
            return Err(CliError::failure("the second factor is on already; disable it first to begin anew"));
        }
        let offer = Offer::new(&self.handle, &mut rand::rng());
        eprintln!(
            "Put this secret into an authenticator app:\n\n  {}\n  {}\n",
            offer.text.expose(),
            offer.link.expose()
        );
        let code = typed("Code that the app shows now")?;
        let ToClient::RecoveryCodes(codes) = self.ask(&offer.request(&code))? else {
            return Err(CliError::failure("the server gave another answer than was asked for"));
        };
        eprintln!("The second factor is on. These recovery codes work once each, and are not shown again:");
        output::say(&(codes.join("\n") + "\n"))
    }

    fn delete(self, yes: bool) -> Result<(), CliError> {
        let left = self.recovery_left()?;
        if !yes && typed(&format!("Delete {} for good? Type yes", self.handle))? != "yes" {
            return Err(CliError::failure("nothing was deleted"));
        }
        let code = left.map(|_| typed("Code of the app, or a recovery code")).transpose()?;
        self.ask(&ToServer::Delete { code })?;
        self.profile.forget_account().map_err(CliError::failure)?;
        output::say(&format!("{} is deleted: at the server, and the keys of this profile.\n", self.handle))
    }
}

/// A line of standard input.
fn typed(what: &str) -> Result<String, CliError> {
    eprint!("{what}: ");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).map_err(CliError::failure)?;
    if read == 0 {
        return Err(CliError::new(Exit::Usage, format!("{} has to be typed, or piped in", what.to_lowercase())));
    }
    Ok(line.trim().to_owned())
}
