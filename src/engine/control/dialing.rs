//! From the person's wish to call somebody to the first letter: the account is looked up and its keys are checked.

use rand::RngExt;

use super::Control;
use crate::call::{Dial, Outcome, State, UserConsent};
use crate::crypto::chain::Chain;
use crate::crypto::identity::ephemeral_key;
use crate::crypto::letter::CallId;
use crate::engine::clock;
use crate::engine::handle::CallView;
use crate::engine::session;
use crate::net::client::ConnectError;
use crate::wire::address::Handle;
use crate::wire::signal::Refusal;

/// A call whose callee is being looked up.
pub(super) struct Dialing {
    /// Which attempt to call it is, counted from the engine's start.
    attempt: u64,
    handle: Handle,
    video: bool,
    consent: UserConsent,
}

impl Control {
    /// The person rings somebody, who is looked up first.
    pub(super) fn dial(&mut self, handle: &str, video: bool, consent: UserConsent) {
        let (Some(server), Some(identity)) = (self.server.clone(), &self.identity) else {
            return self.tell("make a profile first: a name and a server");
        };
        let handle: Handle = match handle.parse() {
            Ok(handle) => handle,
            Err(error) => return self.tell(&error.to_string()),
        };
        if matches!(self.machine.as_ref().map(|machine| machine.state().0), Some(State::Idle)) && self.dialing.is_none()
        {
            let peer = self.contacts.peer(&handle.to_string(), None);
            self.call = CallView::Outgoing { peer, video, ringing: false, since: clock::now() };
            if handle.to_string() == identity.handle() {
                return self.end_view(Outcome::Busy);
            }
            self.dials += 1;
            let attempt = self.dials;
            let key = ephemeral_key(&mut rand::rng());
            tokio::spawn(session::look_up(server, key, handle.name().to_owned(), attempt, self.events.clone()));
            self.dialing = Some(Dialing { attempt, handle, video, consent });
        }
    }

    /// The account is found, or is not. An answer to an earlier attempt, which was given up, is ignored.
    pub(super) fn looked_up(&mut self, attempt: u64, result: Result<Vec<u8>, ConnectError>) {
        let Some(dialing) = self.dialing.take_if(|dialing| dialing.attempt == attempt) else { return };
        let Dialing { handle, video, consent, .. } = dialing;
        let chain = match result {
            Ok(chain) => chain,
            Err(ConnectError::Refused(Refusal::Unknown)) => return self.end_view(Outcome::Unknown),
            Err(error) => return self.end_view(Outcome::Server(error.to_string())),
        };
        let chain = Chain::decode(&chain).and_then(|chain| chain.verify(clock::unix_now()));
        let peer = match chain {
            Ok(chain) if chain.handle() == handle.to_string() => chain,
            Ok(_) => return self.end_view(Outcome::Fault("the server gave another account's device list".into())),
            Err(error) => return self.end_view(Outcome::Fault(error.to_string())),
        };
        match self.contacts.check_root(&self.profile, peer.handle(), &peer.root()) {
            Ok(true) => {}
            Ok(false) => return self.end_view(Outcome::KeyChanged),
            Err(error) => self.tell(&error.to_string()),
        }
        let path_key = self.fresh_path_key();
        self.switches = (true, video);
        let mut rng = rand::rng();
        let dial = Dial { call: CallId(rng.random()), room: rng.random(), path_key, peer, video };
        if let Some(machine) = &mut self.machine {
            machine.dial(dial, consent, clock::now());
        }
    }
}
