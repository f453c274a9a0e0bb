//! A second device: the new one shows a code and waits, one that is in the account reads it and takes it in.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::Control;
use super::account_devices::root_of;
use crate::crypto::identity::NewDevice;
use crate::crypto::letter::{self, CallId, Content, Pass};
use crate::crypto::link::{CODE_LIFE_S, LinkCode};
use crate::engine::clock;
use crate::engine::handle::{LinkView, Secret};
use crate::engine::session;
use crate::media::Timestamp;
use crate::wire::address::ServerAddress;
use crate::wire::signal::link_address;
use crate::wire::token::Token;

/// Where linking stands.
#[derive(Default)]
pub(super) enum Linking {
    /// Nowhere.
    #[default]
    None,
    /// This is the new device.
    Waiting(Box<Waiting>),
    /// This one takes another in: the person compares the numbers.
    Comparing { code: LinkCode, number: String, until: Timestamp },
    /// The other is in; its letters are on their way.
    Done,
}

/// A new device that shows its code.
pub(super) struct Waiting {
    new: NewDevice,
    code: LinkCode,
    number: String,
    server: ServerAddress,
    until: Timestamp,
    connection: Option<JoinHandle<()>>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.abort();
        }
    }
}

impl Control {
    /// This new profile is to become a device of an account that is at `server`: shows the code for it.
    pub(super) fn start_link(&mut self, server: &str) {
        if self.registered || self.profile.is_locked() {
            return self.tell("this profile has an identity already; link a new one");
        }
        let server: ServerAddress = match server.parse() {
            Ok(server) => server,
            Err(error) => return self.tell(&error.to_string()),
        };
        let new = NewDevice::generate(&mut rand::rng());
        let code = LinkCode::new(new.card(), server.key, &mut rand::rng());
        let number = match code.number() {
            Ok(number) => number,
            Err(error) => return self.tell(&error.to_string()),
        };
        let wait = session::wait_for_link(server.clone(), new.signing().clone(), self.events.clone());
        let (connection, until) = (Some(tokio::spawn(wait)), life());
        let waiting = Waiting { new, code, number, server, until, connection };
        self.linking = Linking::Waiting(Box::new(waiting));
    }

    /// The person has read the code of a new device: its number is shown for comparison.
    pub(super) fn read_link(&mut self, text: &Secret) {
        let (Some(identity), Some(server)) = (&self.identity, &self.server) else { return };
        let code = match LinkCode::from_text(text.expose()) {
            Ok(code) => code,
            Err(error) => return self.tell(&error.to_string()),
        };
        if code.server != server.key {
            return self.tell("the new device waits at another server; give it the address of yours");
        }
        if identity.chain().devices().any(|device| device == code.card.signing) {
            return self.tell("this device is in your account already");
        }
        match code.number() {
            Ok(number) => self.linking = Linking::Comparing { code, number, until: life() },
            Err(error) => self.tell(&error.to_string()),
        }
    }

    /// The numbers are the same, the person says: the device is taken in, by the root, which this device has or the kit.
    pub(super) fn confirm_link(&mut self, kit: Option<&Secret>) {
        let Some(identity) = &self.identity else { return };
        let Linking::Comparing { code, until, .. } = &self.linking else { return };
        if clock::now() >= *until {
            self.linking = Linking::None;
            return self.tell("the code is too old; let the new device show another one");
        }
        let root = match root_of(identity, kit) {
            Ok(Some(root)) => root,
            Ok(None) => {
                return self.tell("adding a device needs the recovery kit, since this device has no root any more");
            }
            Err(why) => return self.tell(&why),
        };
        let (now, code) = (clock::unix_now(), code.clone());
        let chain = identity.chain().with_device(code.card, &root, now).with_head(identity.device(), now);
        if self.extend_chain(chain.verify(now)) {
            self.linking = Linking::Done;
            self.hand_over(&code);
        }
    }

    /// Sends the new device what it needs: the chain, with the proof, and what the devices hold in common.
    fn hand_over(&mut self, code: &LinkCode) {
        self.share();
        let Some(identity) = &self.identity else { return };
        let proof = code.proof(&identity.root());
        let now = clock::unix_now();
        let write = |household: Vec<u8>| {
            let content = Content::Linked { proof, household };
            let (call, pass) = (CallId([0; 16]), Pass::default());
            let envelope = letter::write(identity, &code.card, call, content, pass, now, &mut rand::rng());
            envelope.ok().map(|envelope| (link_address(&code.card.signing), envelope))
        };
        let envelopes: Vec<_> = self.household.everything().into_iter().filter_map(write).collect();
        // The address to which they go is a secret: it needs no leave beside it.
        self.post(envelopes, Token::random(&mut rand::rng()), None);
    }

    /// An envelope for the new device that waits: from whoever has seen its code, and only once.
    pub(super) fn link_envelope_came(&mut self, envelope: &[u8]) {
        let Linking::Waiting(waiting) = &self.linking else { return };
        let opened = letter::read_as_new(&waiting.new, envelope, clock::unix_now());
        let Ok(opened) = opened else { return tracing::warn!("an envelope for a new device was thrown away") };
        let Content::Linked { proof, household } = &opened.content else { return };
        if !waiting.code.is_proved(&opened.chain.root(), proof) || clock::now() >= waiting.until {
            return tracing::warn!("somebody who has not seen the code wanted to take this device in");
        }
        let Linking::Waiting(mut waiting) = std::mem::take(&mut self.linking) else { return };
        let new = std::mem::replace(&mut waiting.new, NewDevice::generate(&mut rand::rng()));
        // More letters may have come over this connection: it ends by itself.
        waiting.connection = None;
        let Some(identity) = new.into_identity(opened.chain) else {
            return self.tell("the other device has not taken this one in; try once more");
        };
        let handle = identity.handle().to_owned();
        self.become_device(identity, waiting.server.clone());
        self.tell(&format!("this is a device of {handle} now; if that is not you, wipe it in the settings"));
        self.household_came(household, None);
    }

    /// Linking is left, whichever side this is.
    pub(super) fn cancel_link(&mut self) {
        self.linking = Linking::None;
    }

    /// For showing.
    pub(super) fn view_link(&mut self) -> LinkView {
        let now = clock::now();
        let until = match &self.linking {
            Linking::Waiting(waiting) => Some(waiting.until),
            Linking::Comparing { until, .. } => Some(*until),
            Linking::None | Linking::Done => None,
        };
        if until.is_some_and(|until| now >= until) {
            self.linking = Linking::None;
        }
        match &self.linking {
            Linking::None => LinkView::None,
            Linking::Waiting(waiting) => {
                LinkView::Waiting { code: waiting.code.to_text().into(), number: waiting.number.clone() }
            }
            Linking::Comparing { number, .. } => LinkView::Comparing { number: number.clone() },
            Linking::Done => LinkView::Done,
        }
    }
}

fn life() -> Timestamp {
    clock::now() + Duration::from_secs(CODE_LIFE_S)
}
