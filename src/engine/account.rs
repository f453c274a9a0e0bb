//! The account at its server, as its owner sees and changes it: a second factor for what the server does with it, and its
//! end. Key trust never comes from here.

use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use ed25519_dalek::SigningKey;
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::secret::Secret;
use crate::net::client::{ConnectError, connect};
use crate::wire::address::ServerAddress;
use crate::wire::signal::{Role, TOTP_SECRET_LEN, ToClient, ToServer};

/// What a person asks for their account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountCommand {
    /// Ask the server whether there is a second factor.
    Look,
    /// Offer a fresh secret for an authenticator app. Nothing changes yet.
    OfferSecret,
    /// The app shows this code: ask for codes from now on.
    Enable {
        /// As the app shows it.
        code: Secret,
    },
    /// Ask for codes no more.
    Disable {
        /// A code of the app, or a recovery code.
        code: Secret,
    },
    /// The recovery codes are written down, or the offer is not wanted.
    PutAway,
    /// Forget the account at the server and the keys here.
    Delete {
        /// A code, if there is a second factor.
        code: Option<Secret>,
    },
    /// Register this device with a code: the account has a second factor, and the device is new in it.
    Register {
        /// A code of the app, or a recovery code.
        code: Secret,
    },
}

/// What is known of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountView {
    /// Recovery codes that are left of the second factor, if there is one; nothing as long as the server was not asked.
    pub second_factor: Option<Option<u8>>,
    /// The secret for an authenticator app, offered and not yet confirmed.
    pub offer: Option<Offer>,
    /// The recovery codes, after the second factor was enabled, until they are put away.
    pub recovery_codes: Arc<[Secret]>,
    /// The server is being asked.
    pub asking: bool,
    /// Registering this device takes a code.
    pub wants_code: bool,
    /// Why the last request came to nothing, in words for the person.
    pub failure: Option<Arc<str>>,
}

/// A secret for an authenticator app.
#[derive(Clone, PartialEq, Eq)]
pub struct Offer {
    secret: Zeroizing<[u8; TOTP_SECRET_LEN]>,
    /// In base32 and groups of four, to be typed.
    pub text: Secret,
    /// As an `otpauth:` link, to be opened or shown as a QR code.
    pub link: Secret,
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Offer")
    }
}

impl Offer {
    /// A fresh secret for the account `handle`.
    #[must_use]
    pub fn new(handle: &str, rng: &mut impl CryptoRng) -> Self {
        let mut secret = Zeroizing::new([0; TOTP_SECRET_LEN]);
        rng.fill_bytes(secret.as_mut());
        let base32 = Zeroizing::new(BASE32_NOPAD.encode(secret.as_ref()));
        let groups: Vec<&str> =
            (0..base32.len()).step_by(4).map(|at| &base32[at..(at + 4).min(base32.len())]).collect();
        // A handle has nothing in it that a link would have to escape but the sign in its middle.
        let label = handle.replace('@', "%40");
        let link = format!("otpauth://totp/Visavis:{label}?secret={}&issuer=Visavis", base32.as_str());
        Self { secret, text: Secret::new(groups.join(" ")), link: Secret::new(link) }
    }

    /// The request that enables it, with the first code that the app shows.
    #[must_use]
    pub fn request(&self, code: &str) -> ToServer {
        ToServer::EnableTotp { secret: *self.secret, code: code.to_owned() }
    }
}

/// Asks the server something about the account of `device`, over a connection of its own.
pub async fn ask(server: &ServerAddress, device: &SigningKey, request: &ToServer) -> Result<ToClient, ConnectError> {
    let mut link = connect(server, device, Role::Account).await?;
    let answer = link.ask(request).await;
    link.close().await;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_what_authenticator_apps_read() {
        let offer = Offer::new("alice@calls.example.org", &mut rand::rng());
        let text = offer.text.expose().replace(' ', "");
        assert_eq!(BASE32_NOPAD.decode(text.as_bytes()).unwrap(), *offer.secret);
        let expected = format!("otpauth://totp/Visavis:alice%40calls.example.org?secret={text}&issuer=Visavis");
        assert_eq!(offer.link.expose(), expected);
        assert!(!format!("{offer:?}").contains(&text));
    }
}
