//! How a running call changes its keys: who refreshes, when each side seals in the new epoch, when the old one is forgotten.

use super::{KEEP_OLD, Machine, REFRESH, SWITCH_AFTER, State};
use crate::call::Output;
use crate::crypto::sframe::BaseKey;
use crate::media::Timestamp;
use crate::wire::call::{CallMessage, Note};

/// A change of keys that is under way.
pub(super) struct Rekey {
    base: Option<BaseKey>,
    switch_at: Timestamp,
    drop_at: Option<Timestamp>,
}

impl Rekey {
    /// When something has to be done about it.
    pub(super) fn timeout(&self) -> Timestamp {
        match (&self.base, self.drop_at) {
            (Some(_), _) | (None, None) => self.switch_at,
            (None, Some(drop_at)) => drop_at,
        }
    }
}

impl Machine {
    pub(super) fn refresh(&mut self, now: Timestamp) {
        self.refresh_at = None;
        let State::Active(active) = &mut self.state else { return };
        match active.group.refresh() {
            Ok(commit) => {
                self.outputs.push_back(Output::Message(CallMessage::Refresh(commit)));
                self.new_epoch(now, true);
            }
            Err(error) => self.fault(&error, now),
        }
    }

    /// As an insider does it: changes the keys twice from the same epoch, goes one way, and gives what leads the other.
    #[cfg(test)]
    pub(crate) fn refresh_two_ways(&mut self, now: Timestamp) -> Option<(CallMessage, CallMessage)> {
        self.refresh_at = None;
        let State::Active(active) = &mut self.state else { return None };
        let (own, other) = active.group.refresh_two_ways().ok()?;
        self.new_epoch(now, true);
        Some((CallMessage::Refresh(own), CallMessage::Refresh(other)))
    }

    /// The group moved on. The committer seals in the new epoch once the others have it; the others know it has.
    pub(super) fn new_epoch(&mut self, now: Timestamp, committer: bool) {
        let State::Active(active) = &self.state else { return };
        let epoch = active.group.epoch();
        match active.group.base_key() {
            Ok(base) => {
                self.note_epoch();
                self.open_epoch(base.clone());
                self.refreshed = now;
                self.schedule_refresh(now);
                self.rekey = Some(Rekey { base: Some(base), switch_at: now + SWITCH_AFTER, drop_at: None });
                if !committer {
                    self.note(&Note::EpochReached(epoch.0));
                    self.switch(now);
                }
                self.outputs.push_back(Output::Changed);
            }
            Err(error) => self.fault(&error, now),
        }
    }

    pub(super) fn switch(&mut self, now: Timestamp) {
        let State::Active(active) = &self.state else { return };
        if let Some(rekey) = &mut self.rekey
            && let Some(base) = rekey.base.take()
        {
            rekey.drop_at = Some(now + KEEP_OLD);
            let (epoch, leaf) = (active.group.epoch(), active.group.leaf());
            self.outputs.push_back(Output::SealEpoch { base, epoch, leaf });
        }
    }

    pub(super) fn schedule_refresh(&mut self, now: Timestamp) {
        if let State::Active(active) = &self.state {
            self.refresh_at = active.group.is_committer().then(|| now + REFRESH);
        }
    }

    pub(super) fn open_epoch(&mut self, base: BaseKey) {
        if let State::Active(active) = &self.state {
            let own = active.group.leaf();
            let members = active.group.members().into_iter().map(|(leaf, _)| leaf).filter(|leaf| *leaf != own);
            let output = Output::OpenEpoch { base, epoch: active.group.epoch(), members: members.collect() };
            self.outputs.push_back(output);
        }
    }

    /// Seals in the new epoch, or forgets the old one, if it is time.
    pub(super) fn go_on_with_rekey(&mut self, now: Timestamp) {
        if let Some(rekey) = &mut self.rekey {
            if rekey.base.is_some() && now >= rekey.switch_at {
                self.switch(now);
            } else if rekey.drop_at.is_some_and(|at| now >= at)
                && let State::Active(active) = &self.state
            {
                self.outputs.push_back(Output::DropBefore(active.group.epoch()));
                self.rekey = None;
            }
        }
    }
}
