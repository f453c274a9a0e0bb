//! From the person's wish to call somebody to the first letter: the account is looked up and its keys are checked.

use std::sync::Arc;

use rand::RngExt;

use super::Control;
use crate::call::{Dial, Outcome, State, UserConsent};
use crate::crypto::chain::Chain;
use crate::crypto::identity::ephemeral_key;
use crate::crypto::letter::CallId;
use crate::engine::clock;
use crate::engine::contacts::{ContactError, Contacts, Standing};
use crate::engine::handle::CallView;
use crate::engine::session;
use crate::media::Timestamp;
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
    since: Timestamp,
}

impl Dialing {
    /// Whether it is this account that is rung.
    pub(super) fn is_to(&self, handle: &str) -> bool {
        self.handle.to_string() == handle
    }

    /// How it is shown.
    pub(super) fn view(&self, contacts: &Contacts) -> CallView {
        let peer = contacts.peer(&self.handle.to_string(), None);
        CallView::Outgoing { peer, video: self.video, ringing: false, since: self.since }
    }
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
        if handle.to_string() == identity.handle() {
            return self.tell(&ContactError::Oneself.to_string());
        }
        if let Some((_, host)) = identity.handle().split_once('@')
            && host != handle.host()
        {
            let why = "calls go to handles of one's own server only";
            return self.tell(&format!("{handle} is at another server than {host}: {why}, so ask for one there"));
        }
        if self.door.blocked().contains(&handle.to_string()) {
            return self.tell(&format!("you have blocked {handle}; let them in again in the settings to call them"));
        }
        let (true, Some(machine)) = (self.dialing.is_none(), &mut self.machine) else { return };
        // Whoever dials turns to that call: who else rings already is told, and so is the person. Whether a call from this
        // handle is the same account's is sure only after the look-up.
        let rings = match machine.state().0 {
            State::Idle => None,
            State::Ringing(ringing) => Some(ringing.parties.peer.handle().to_owned()),
            _ => return,
        };
        if let Some(other) = rings.filter(|caller| *caller != handle.to_string()) {
            machine.say_busy(clock::now());
            self.tell(&format!("{other} called while you dialled, and was told that you are busy"));
        }
        self.dials += 1;
        let attempt = self.dials;
        let key = ephemeral_key(&mut rand::rng());
        tokio::spawn(session::look_up(server, key, handle.name().to_owned(), attempt, self.events.clone()));
        self.numbering.dial();
        self.dialing = Some(Dialing { attempt, handle, video, consent, since: clock::now() });
        self.view_call();
    }

    /// The account is found, or is not. An answer to an earlier attempt, which was given up, is ignored.
    pub(super) fn looked_up(&mut self, attempt: u64, result: Result<Vec<u8>, ConnectError>) {
        if self.looked_up_caller(attempt, &result) {
            return;
        }
        let Some(dialing) = self.dialing.take_if(|dialing| dialing.attempt == attempt) else { return };
        let Dialing { handle, video, consent, .. } = dialing;
        let chain = match result {
            Ok(chain) => chain,
            Err(ConnectError::Refused(Refusal::Unknown)) => return self.give_up(&handle, Outcome::Unknown),
            Err(error) => return self.give_up(&handle, Outcome::Server(error.to_string())),
        };
        let chain = Chain::decode(&chain).and_then(|chain| chain.verify(clock::unix_now()));
        let peer = match chain {
            Ok(chain) if chain.handle() == handle.to_string() => chain,
            Ok(_) => {
                let why = "the server gave another account's device list".into();
                return self.give_up(&handle, Outcome::Fault(why));
            }
            Err(error) => return self.give_up(&handle, Outcome::Fault(error.to_string())),
        };
        match self.contacts.check_found(&self.profile, &peer) {
            Ok(Standing::Good) => {}
            Ok(Standing::OtherRoot) => return self.give_up(&handle, Outcome::KeyChanged),
            Ok(Standing::Cut) => {
                let why = "the server gave an older list of their devices than was seen before: one that they have shut out \
                           may be hidden";
                return self.give_up(&handle, Outcome::Fault(why.into()));
            }
            Err(error) => self.tell(&error.to_string()),
        }
        if let Some(machine) = &mut self.machine
            && matches!(machine.state().0, State::Ringing(_))
        {
            // A device that they have shut out rings no more; its end must not take the key of the own call with it.
            machine.handle_peer_chain(&peer, clock::now());
            self.perform();
        }
        let path_key = self.fresh_path_key();
        let mut rng = rand::rng();
        let dial = Dial { call: CallId(rng.random()), room: rng.random(), path_key, peer, video };
        if self.machine.as_mut().is_some_and(|machine| machine.dial(dial, consent, clock::now())) {
            self.switches = (true, video);
        } else {
            self.give_up(&handle, Outcome::Busy);
        }
    }

    /// Nobody is rung. If they ring us by now, that goes on, and it is said why nothing came of our call.
    fn give_up(&mut self, handle: &Handle, outcome: Outcome) {
        if matches!(self.machine.as_ref().map(|machine| machine.state().0), Some(State::Ringing(_))) {
            let why = outcome.sentence();
            self.tell(&format!("{handle} is calling you; your own call to them was not made: {why}"));
        }
        self.end_view(outcome);
    }

    /// Makes the key that the next call's connections show. Gives its public half.
    pub(super) fn fresh_path_key(&mut self) -> [u8; 32] {
        let key = ephemeral_key(&mut rand::rng());
        let public = key.verifying_key().to_bytes();
        self.path_key = Some(Arc::new(key));
        public
    }
}
