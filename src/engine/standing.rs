//! How a call stands, for whoever follows it to its end: before the talk, in it, or after.

use super::handle::{ActiveView, CallCounts, CallNumber, CallView, EngineHandle, Snapshot};
use crate::call::Outcome;

/// How a call stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing<'a> {
    /// There is no call, or the two are not yet face to face.
    Before,
    /// Face to face.
    Talking(&'a ActiveView),
    /// Over.
    Over {
        /// How it ended.
        outcome: &'a Outcome,
        /// Seconds of talk.
        talked_s: u64,
    },
}

impl CallView {
    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing<'_> {
        match self {
            Self::Active(view) => Standing::Talking(view),
            Self::Ended { outcome, talked_s, .. } => Standing::Over { outcome, talked_s: *talked_s },
            Self::Idle | Self::Outgoing { .. } | Self::Incoming { .. } | Self::Connecting { .. } => Standing::Before,
        }
    }
}

impl Snapshot {
    /// How the call with this number stands; nothing if others have taken its place and its end is forgotten.
    #[must_use]
    pub fn standing_of(&self, call: CallNumber) -> Option<Standing<'_>> {
        if self.call_number == call {
            return Some(self.call.standing());
        }
        let ended = self.ended.as_ref().filter(|ended| ended.number == call)?;
        Some(Standing::Over { outcome: &ended.outcome, talked_s: ended.talked_s })
    }

    /// What the call with this number has sent, received and shown, once it is over.
    #[must_use]
    pub fn counts_of(&self, call: CallNumber) -> Option<&CallCounts> {
        self.ended.as_ref().filter(|ended| ended.number == call)?.counts.as_deref()
    }
}

impl EngineHandle {
    /// The talk as it is now, or a sentence that says how it ended or that there is none.
    pub fn talk(&self) -> Result<ActiveView, String> {
        match self.snapshots.borrow().call.standing() {
            Standing::Talking(view) => Ok(view.clone()),
            Standing::Over { outcome, .. } => Err(outcome.sentence()),
            Standing::Before => Err("there is no call".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::handle::{EndedCall, FrameCounts, Peer};
    use crate::media::Timestamp;

    #[test]
    fn a_call_is_ahead_then_held_then_over() {
        let peer = Peer::default;
        assert_eq!(CallView::Idle.standing(), Standing::Before);
        let connecting = CallView::Connecting { peer: peer(), since: Timestamp::default() };
        assert_eq!(connecting.standing(), Standing::Before);
        let active = CallView::Active(Box::default());
        assert!(matches!(active.standing(), Standing::Talking(_)));
        let ended = CallView::Ended { peer: peer(), outcome: Outcome::Lost, talked_s: 7 };
        assert_eq!(ended.standing(), Standing::Over { outcome: &Outcome::Lost, talked_s: 7 });
    }

    #[test]
    fn a_call_in_whose_place_another_rings_is_over_and_not_ahead() {
        let call = CallView::Incoming { peer: Peer::default(), video: true, since: Timestamp::default() };
        let ended = EndedCall { number: CallNumber(1), outcome: Outcome::PeerHungUp, talked_s: 7, counts: None };
        let snapshot = Snapshot { call, call_number: CallNumber(2), ended: Some(ended), ..Snapshot::default() };
        let over = Standing::Over { outcome: &Outcome::PeerHungUp, talked_s: 7 };
        assert_eq!(snapshot.standing_of(CallNumber(1)), Some(over));
        assert_eq!(snapshot.standing_of(CallNumber(2)), Some(Standing::Before));
        assert_eq!(snapshot.standing_of(CallNumber(0)), None);
    }

    #[test]
    fn what_a_call_counted_is_known_after_it_and_of_no_other() {
        let frames = FrameCounts { sent: 120, ..FrameCounts::default() };
        let counts = Some(Box::new(CallCounts { frames, ..CallCounts::default() }));
        let ended = EndedCall { number: CallNumber(1), outcome: Outcome::PeerHungUp, talked_s: 7, counts };
        let snapshot = Snapshot { call_number: CallNumber(2), ended: Some(ended), ..Snapshot::default() };
        assert_eq!(snapshot.counts_of(CallNumber(1)).map(|counts| counts.frames), Some(frames));
        assert_eq!(snapshot.counts_of(CallNumber(2)), None);
    }
}
