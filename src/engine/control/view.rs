//! What control shows: the snapshot made of machine, threads and status.

use std::sync::atomic::Ordering;

use super::Control;
use crate::call::{Parties, State};
use crate::crypto::identity::Identity;
use crate::crypto::safety;
use crate::engine::clock;
use crate::engine::counters::CallCounters;
use crate::engine::handle::{
    ActiveView, CallCounts, CallView, FrameCounts, Me, OwnDevices, SendingView, Snapshot, TrafficCounts,
};
use crate::engine::topology::CallThreads;

impl Control {
    /// Publishes a snapshot if anything has changed.
    pub(super) fn publish(&mut self) {
        self.view_call();
        self.ring();
        let registered = self.registered;
        let me = self.identity.as_ref().map(|identity| Me { handle: identity.handle().to_owned(), registered });
        let own = OwnDevices {
            devices: self.account_devices(),
            has_root: self.identity.as_ref().is_some_and(|identity| identity.root_key().is_some()),
            kit: self.kit.clone(),
            link: self.view_link(),
        };
        let snapshot = Snapshot {
            own: own.into(),
            started: true,
            locked: self.profile.is_locked() || self.is_app_locked,
            protection: self.profile.protection(),
            account: self.account.clone(),
            me,
            server: self.status.clone(),
            trying_encoders: self.trying_encoders,
            contacts: self.contacts.view(),
            link: self.own_link(),
            requests: self.door.requests(),
            blocked: self.door.blocked(),
            comparison: self.comparison.clone(),
            devices: self.device_list.clone(),
            chosen: self.chosen(),
            camera: self.camera_state(),
            sound_check: self.sound_check.view(),
            appearance: self.appearance,
            zoom: self.zoom,
            lock_after_min: self.lock_after_min,
            hide_address: self.hide_address,
            last_round_trips_ms: self.last_round_trips_ms,
            call: self.call.clone(),
            call_number: self.numbering.current(),
            dialled: self.numbering.dialled(),
            ended: self.numbering.ended().cloned(),
            notice: self.notice.clone(),
        };
        let snapshot = if self.is_app_locked { behind_lock(snapshot) } else { snapshot };
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

    /// Brings what is shown of the call up to date. While the callee is looked up the own call is shown, also if they ring
    /// meanwhile: then the two calls become one.
    pub(super) fn view_call(&mut self) {
        let Some(machine) = &self.machine else { return };
        if let Some(dialing) = &self.dialing {
            self.call = dialing.view(&self.contacts);
            return;
        }
        if let Some(parties) = machine.state().0.parties() {
            self.numbering.see(parties.call, parties.peer.root(), matches!(machine.state().0, State::Ringing(_)));
        }
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
                let counters = self.threads.as_ref().map(|threads| &*threads.counters);
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
                    sending: self.threads.as_ref().map(sending).unwrap_or_default(),
                    frames: counters.map(frame_counts).unwrap_or_default(),
                    traffic: counters.map(traffic_counts).unwrap_or_default(),
                    address_hidden: self.hides_address(),
                    round_trips_ms: self.round_trips_ms(),
                    clock: counters.and_then(|counters| counters.peer_clock.offset(clock::now())),
                    queues: self.threads.as_ref().map(CallThreads::queues).unwrap_or_default(),
                    sound: counters.map(|counters| counters.sound.view(clock::now())).unwrap_or_default(),
                }));
            }
        }
    }
}

/// What may be seen while the window is locked: that there is a profile, and a call that came.
fn behind_lock(snapshot: Snapshot) -> Snapshot {
    let hidden = Snapshot::default();
    Snapshot {
        own: hidden.own,
        account: hidden.account,
        contacts: hidden.contacts,
        link: None,
        requests: hidden.requests,
        blocked: hidden.blocked,
        comparison: None,
        ended: None,
        ..snapshot
    }
}

/// What has gone through a call's threads so far.
pub(super) fn call_counts(counters: &CallCounters) -> CallCounts {
    CallCounts {
        frames: frame_counts(counters),
        traffic: traffic_counts(counters),
        sound: counters.sound.counts(clock::now()),
    }
}

fn traffic_counts(counters: &CallCounters) -> TrafficCounts {
    let (relay_packets, relay_bytes) = counters.relayed.get();
    let (direct_packets, direct_bytes) = counters.direct.get();
    TrafficCounts { relay_packets, relay_bytes, direct_packets, direct_bytes }
}

fn sending(threads: &CallThreads) -> SendingView {
    let (counters, switches) = (&threads.counters, &threads.switches);
    let (step, limited_by) = counters.step();
    SendingView {
        width: step.width,
        height: step.height,
        fps: step.fps,
        limited_by,
        changes: counters.step_changes.get(),
        allowed_kbps: switches.allowed_kbps.load(Ordering::Relaxed),
        late_packets: counters.late.get(),
    }
}

fn frame_counts(counters: &CallCounters) -> FrameCounts {
    FrameCounts {
        captured: counters.captured.get(),
        damaged: counters.damaged.get(),
        skipped: counters.skipped.get(),
        sent: counters.sealed.get(),
        keyframes: counters.keyframes.get(),
        resent: counters.resent.get(),
        resent_bytes: counters.resent_bytes.get(),
        parity: counters.parity.get(),
        rebuilt: counters.rebuilt.get(),
        wire_bytes: counters.wire_bytes.get(),
        encoded_bytes: counters.encoded_bytes.get(),
        padding_bytes: counters.padding_bytes.get(),
        unsealed: counters.unsealed.get(),
        received: counters.received.get(),
        received_bytes: counters.received_bytes.get(),
        unopened: counters.unopened.get(),
        decoded: counters.decoded.get(),
        encoder_depth: counters.encoder_depth.load(Ordering::Relaxed),
        decoder_depth: counters.decoder_depth.load(Ordering::Relaxed),
    }
}
