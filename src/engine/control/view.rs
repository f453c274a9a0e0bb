//! What control shows: the snapshot made of machine, threads and status.

use std::sync::atomic::Ordering;

use super::Control;
use crate::call::{Parties, State};
use crate::crypto::identity::Identity;
use crate::crypto::safety;
use crate::engine::clock;
use crate::engine::handle::{ActiveView, CallView, FrameCounts, Me, Snapshot};
use crate::engine::topology::CallThreads;

impl Control {
    /// Publishes a snapshot if anything has changed.
    pub(super) fn publish(&mut self) {
        self.view_call();
        self.ring();
        let registered = self.registered;
        let me = self.identity.as_ref().map(|identity| Me { handle: identity.handle().to_owned(), registered });
        let snapshot = Snapshot {
            started: true,
            me,
            server: self.status.clone(),
            trying_encoders: self.trying_encoders,
            contacts: self.contacts.view(),
            devices: self.device_list.clone(),
            chosen: self.chosen(),
            camera: self.camera_state(),
            sound_check: self.sound_check.view(),
            appearance: self.appearance,
            zoom: self.zoom,
            call: self.call.clone(),
            notice: self.notice.clone(),
        };
        let published = self.snapshots.send_if_modified(|current| {
            let changed = *current != snapshot;
            if changed {
                *current = snapshot;
            }
            changed
        });
        if published {
            self.snapshot_bell.ring();
        }
    }

    fn view_call(&mut self) {
        let Some(machine) = &self.machine else { return };
        let peer = |parties: &Parties| self.contacts.peer(parties.peer.handle(), Some(&parties.peer.root()));
        let (state, since) = machine.state();
        match state {
            State::Idle => {}
            State::Calling(calling) => {
                let (peer, video) = (peer(&calling.parties), calling.parties.video);
                self.call = CallView::Outgoing { peer, video, ringing: machine.reached(), since };
            }
            State::Ringing(ringing) => {
                self.call = CallView::Incoming { peer: peer(&ringing.parties), video: ringing.parties.video, since };
            }
            State::Accepted(accepted) => self.call = CallView::Connecting { peer: peer(&accepted.parties), since },
            State::Keyed(keyed) => {
                self.call = CallView::Connecting { peer: peer(&keyed.accepted.parties), since };
            }
            State::Active(active) => {
                let parties = &active.accepted.parties;
                let (peer_microphone_on, peer_camera_on) = machine.peer_switches();
                let own_root = self.identity.as_ref().map_or([0; 32], Identity::root);
                let (path, path_changes) = self.view_path(machine.is_reconnecting());
                self.call = CallView::Active(Box::new(ActiveView {
                    peer: peer(parties),
                    since,
                    path,
                    path_changes,
                    microphone_on: self.switches.0,
                    speaker_on: self.speaker_on,
                    camera_on: self.switches.1,
                    peer_microphone_on,
                    peer_camera_on,
                    safety_number: safety::safety_number(&own_root, &parties.peer.root()).into(),
                    in_call_code: safety::in_call_code(&active.group.authenticator()).into(),
                    epoch: active.group.epoch().0,
                    key_age_s: clock::now().since(machine.refreshed()).as_secs(),
                    encoder: self.threads.as_ref().map_or("", |threads| threads.encoder.name()),
                    frames: self.threads.as_ref().map(frame_counts).unwrap_or_default(),
                    sound: self
                        .threads
                        .as_ref()
                        .map(|threads| threads.counters.sound.view(clock::now()))
                        .unwrap_or_default(),
                }));
            }
        }
    }
}

fn frame_counts(threads: &CallThreads) -> FrameCounts {
    let counters = &threads.counters;
    FrameCounts {
        captured: counters.captured.get(),
        damaged: counters.damaged.get(),
        skipped: counters.skipped.get(),
        sent: counters.sealed.get(),
        encoded_bytes: counters.encoded_bytes.get(),
        unsealed: counters.unsealed.get(),
        received: counters.received.get(),
        received_bytes: counters.received_bytes.get(),
        unopened: counters.unopened.get(),
        decoded: counters.decoded.get(),
        encoder_depth: counters.encoder_depth.load(Ordering::Relaxed),
        decoder_depth: counters.decoder_depth.load(Ordering::Relaxed),
    }
}
