//! Messages of a call, each delivered once and in order, though the path under them changes or is gone for a while.
//!
//! Each message has a number; the receiver acknowledges what it has. What is not acknowledged is sent again whenever a
//! path opens. The paths themselves are reliable and ordered (QUIC streams), so nothing is repeated without a reason.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::wire::call::{self, CallMessage};

/// Messages that may wait for an acknowledgement; a call that has more is broken.
pub const MAX_UNACKNOWLEDGED: usize = 64;

#[derive(Serialize, Deserialize)]
enum Frame {
    Message { number: u32, message: CallMessage },
    Acknowledge { received: u32 },
}

/// Why the link gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The peer sent what is no message, or left one out.
    #[error("the other side sent a message that cannot be read or out of order")]
    Malformed,
    /// More than [`MAX_UNACKNOWLEDGED`] messages wait.
    #[error("the other side acknowledges nothing")]
    Unanswered,
}

/// One side of the link.
#[derive(Debug, Default)]
pub struct ControlLink {
    /// Sent and not acknowledged; the first has the number `acknowledged`.
    waiting: VecDeque<CallMessage>,
    acknowledged: u32,
    received: u32,
    /// What was received last is to be acknowledged. One acknowledgement tells all that those before it would.
    owes_acknowledgement: bool,
    outbox: VecDeque<Vec<u8>>,
}

impl ControlLink {
    /// Queues a message.
    pub fn send(&mut self, message: CallMessage) -> Result<(), ControlError> {
        if self.waiting.len() >= MAX_UNACKNOWLEDGED {
            return Err(ControlError::Unanswered);
        }
        let number = self.acknowledged + self.waiting.len() as u32;
        self.outbox.push_back(call::encode(&Frame::Message { number, message: message.clone() }));
        self.waiting.push_back(message);
        Ok(())
    }

    /// A path opened (the first, another, or the same again): what is not acknowledged goes out on it.
    pub fn handle_path(&mut self) {
        self.outbox.clear();
        self.owes_acknowledgement = false;
        for (index, message) in self.waiting.iter().enumerate() {
            let frame = Frame::Message { number: self.acknowledged + index as u32, message: message.clone() };
            self.outbox.push_back(call::encode(&frame));
        }
    }

    /// Takes bytes from the path; gives the message in them if it is a new one.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<Option<CallMessage>, ControlError> {
        match call::decode::<Frame>(bytes).ok_or(ControlError::Malformed)? {
            Frame::Acknowledge { received } => {
                let newly = received.wrapping_sub(self.acknowledged) as usize;
                if newly <= self.waiting.len() {
                    self.waiting.drain(..newly);
                    self.acknowledged = received;
                }
                Ok(None)
            }
            Frame::Message { number, message } => {
                let new = number == self.received;
                if number > self.received {
                    return Err(ControlError::Malformed);
                }
                self.received += u32::from(new);
                self.owes_acknowledgement = true;
                Ok(new.then_some(message))
            }
        }
    }

    /// The next bytes to put on the path.
    pub fn poll_bytes(&mut self) -> Option<Vec<u8>> {
        if std::mem::take(&mut self.owes_acknowledgement) {
            return Some(call::encode(&Frame::Acknowledge { received: self.received }));
        }
        self.outbox.pop_front()
    }

    /// Messages that wait for an acknowledgement.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(number: u8) -> CallMessage {
        CallMessage::Sealed(vec![number])
    }

    #[test]
    fn a_path_that_takes_nothing_fills_with_no_acknowledgements() {
        let (mut a, mut b) = (ControlLink::default(), ControlLink::default());
        for number in 0..MAX_UNACKNOWLEDGED as u8 {
            a.send(message(number)).unwrap();
            b.handle_bytes(&a.poll_bytes().unwrap()).unwrap();
        }
        a.handle_bytes(&b.poll_bytes().unwrap()).unwrap();
        assert_eq!((a.unacknowledged(), b.poll_bytes()), (0, None), "one acknowledgement tells everything");
    }

    proptest! {
        /// The path breaks at any moment and loses what is on it; both sides learn of the new path.
        #[test]
        fn everything_arrives_once_and_in_order(steps in proptest::collection::vec(0_u8..8, 1..200)) {
            let (mut a, mut b) = (ControlLink::default(), ControlLink::default());
            let mut sent = 0;
            let mut got = Vec::new();
            for step in steps.into_iter().chain([0; 400]) {
                match step {
                    7 => {
                        while a.poll_bytes().is_some() {}
                        while b.poll_bytes().is_some() {}
                        a.handle_path();
                        b.handle_path();
                    }
                    5 | 6 if a.unacknowledged() < MAX_UNACKNOWLEDGED => {
                        a.send(message(sent)).unwrap();
                        sent += 1;
                    }
                    _ => {
                        if let Some(bytes) = a.poll_bytes() {
                            got.extend(b.handle_bytes(&bytes).unwrap());
                        }
                        if let Some(bytes) = b.poll_bytes() {
                            prop_assert!(a.handle_bytes(&bytes).unwrap().is_none());
                        }
                    }
                }
            }
            prop_assert_eq!(got, (0..sent).map(message).collect::<Vec<_>>());
            prop_assert_eq!(a.unacknowledged(), 0);
        }

        #[test]
        fn any_bytes_give_a_message_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut link = ControlLink::default();
            let _ = link.handle_bytes(&bytes);
        }
    }
}
