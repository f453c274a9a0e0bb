//! Which call is meant: every call that is shown has a number, and whoever answers one or hangs up names it. An own call
//! keeps its number when it becomes the other side's that crosses it.

use crate::call::Outcome;
use crate::crypto::letter::CallId;
use crate::engine::handle::{CallCounts, CallNumber, EndedCall};

/// Numbers of calls, counted from the engine's start.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    current: CallNumber,
    /// Which call of the machine it stands for, and the root of the other side, which chooses its numbers as it likes; none
    /// while the callee is looked up.
    stands_for: Option<(CallId, [u8; 32])>,
    dialled: CallNumber,
    ended: Option<EndedCall>,
}

impl Numbering {
    /// The call that is shown.
    pub(super) const fn current(&self) -> CallNumber {
        self.current
    }

    /// The call that the person dialled last.
    pub(super) const fn dialled(&self) -> CallNumber {
        self.dialled
    }

    /// How the call ended that ended last.
    pub(super) const fn ended(&self) -> Option<&EndedCall> {
        self.ended.as_ref()
    }

    /// The person rings somebody.
    pub(super) const fn dial(&mut self) {
        self.begin(None);
        self.dialled = self.current;
    }

    /// The machine has this call. One that does not ring here is the own one, whatever it was called before.
    pub(super) fn see(&mut self, call: CallId, peer: [u8; 32], rings: bool) {
        let seen = Some((call, peer));
        if self.stands_for == seen {
            return;
        }
        if rings {
            self.begin(seen);
        } else {
            self.stands_for = seen;
        }
    }

    /// The call that is shown is over.
    pub(super) fn end(&mut self, outcome: Outcome, talked_s: u64, counts: Option<Box<CallCounts>>) {
        self.ended = Some(EndedCall { number: self.current, outcome, talked_s, counts });
    }

    const fn begin(&mut self, stands_for: Option<(CallId, [u8; 32])>) {
        self.current = CallNumber(self.current.0 + 1);
        self.stands_for = stands_for;
    }
}
