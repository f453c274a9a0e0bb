//! What comes to control from the server and the path, and what the call machine then wants done.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Control;
use crate::call::{Machine, Outcome, Output};
use crate::engine::clock;
use crate::engine::handle::ServerStatus;
use crate::engine::sealing::{OpenCommand, SealCommand};
use crate::engine::session::Event;

impl Control {
    pub(super) fn handle_event(&mut self, event: Event) {
        let now = clock::now();
        match event {
            Event::Online => {
                self.status = ServerStatus::Online;
                if !self.registered {
                    self.registered = true;
                    let kept = self.keep_registration();
                    self.tell_error(kept);
                }
                self.ask_presence();
                self.compare_households();
            }
            Event::Account(request, answer) => self.handle_account_answer(&request, answer),
            Event::Offline(error) => {
                self.note_refusal(&error);
                self.status = ServerStatus::Offline { why: error.to_string(), fatal: error.is_fatal() };
                self.contacts.forget_presence();
            }
            Event::LinkEnvelope(envelope) if self.identity.is_none() => self.link_envelope_came(&envelope),
            Event::Envelope(number, _) if !self.seen.is_new(number) => {}
            Event::Envelope(_, envelope) | Event::LinkEnvelope(envelope) => self.handle_envelope(&envelope, now),
            Event::Presence(answers) => {
                let Some(host) = self.server.as_ref().map(|server| server.host.clone()) else { return };
                for (name, online) in answers {
                    self.contacts.handle_presence(&format!("{name}@{host}"), online);
                }
            }
            Event::LookedUp(attempt, result) => {
                match self.recovering.take_if(|recovering| recovering.attempt == attempt) {
                    Some(recovering) => self.recovered(recovering, result),
                    None => self.looked_up(attempt, result),
                }
            }
            Event::OwnChain(chain) => self.own_chain_came(&chain),
            Event::PeerChain(chain) => self.peer_chain_came(&chain),
            Event::Delivered(call, result) => {
                let Some(machine) = &mut self.machine else { return };
                match result {
                    Ok(true) => machine.handle_reached(call),
                    Ok(false) => machine.handle_unreachable(call, Outcome::Offline, now),
                    Err(error) => machine.handle_unreachable(call, Outcome::Server(error.to_string()), now),
                }
            }
            Event::Devices(list) => self.device_list = Some(Arc::new(list)),
            Event::EncoderTried(trial) => {
                self.trials.push(trial);
                self.trying_encoders = false;
                let kept = self.profile.save_trials(&self.trials);
                self.tell_error(kept);
            }
            Event::Path(number, event) => self.handle_path_event(number, event, now),
        }
    }

    /// Does what the machine wants done.
    pub(super) fn perform(&mut self) {
        while let Some(output) = self.machine.as_mut().and_then(Machine::poll) {
            match output {
                Output::Letter { to, handle, call, content } => self.write_letters(&to, &handle, call, &content),
                Output::Join { room, leaf, peer_path_key } => self.enter_room(room, leaf, peer_path_key),
                Output::Message(message) => {
                    if let Some(path) = &mut self.path {
                        path.send(message);
                    }
                }
                Output::OpenEpoch { base, epoch, members } => {
                    if let Some(threads) = &mut self.threads {
                        let _ = threads.open.push(OpenCommand::Epoch { base, epoch, members });
                    }
                }
                Output::SealEpoch { base, epoch, leaf } => {
                    if let Some(threads) = &mut self.threads {
                        let _ = threads.seal.push(SealCommand::Epoch { base, epoch, leaf });
                    }
                }
                Output::DropBefore(epoch) => {
                    if let Some(threads) = &mut self.threads {
                        let _ = threads.open.push(OpenCommand::DropBefore(epoch));
                    }
                }
                Output::StartMedia(grant) => self.start_media(grant),
                Output::FindDirect(grant) => self.find_direct(grant),
                Output::Candidates { addresses, answer } => {
                    if let Some(path) = &mut self.path {
                        path.handle_candidates(addresses, answer, clock::now());
                    }
                }
                Output::Keyframe => {
                    if let Some(threads) = &self.threads {
                        threads.switches.keyframe.store(true, Ordering::Release);
                    }
                }
                Output::Changed => {}
                Output::Ended(outcome) => self.end_view(outcome),
            }
        }
        if let Some(path) = &mut self.path {
            path.flush();
        }
    }
}
