//! Opens a device on a thread of its own: a sound system that is slow to answer, or a microphone that is slow to begin,
//! delays nothing else. If nobody waits any more when the device is open, it is closed again.

use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread::Builder;

use super::SoundError;

/// A device that is being opened.
pub struct Opening<T> {
    result: Receiver<Result<T, SoundError>>,
}

impl<T: Send + 'static> Opening<T> {
    /// Begins to open.
    pub fn start(open: impl FnOnce() -> Result<T, SoundError> + Send + 'static) -> Result<Self, SoundError> {
        let (sender, result) = sync_channel(1);
        let body = move || {
            // Nobody waits any more: what was opened comes back with the error and is dropped.
            let _ = sender.send(open());
        };
        match Builder::new().name("audio-open".into()).spawn(body) {
            Ok(_) => Ok(Self { result }),
            Err(error) => Err(no_thread(&error.to_string())),
        }
    }

    /// The device or why there is none, once that is known.
    #[must_use]
    pub fn poll(&self) -> Option<Result<T, SoundError>> {
        match self.result.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(no_thread("the sound library gave up"))),
        }
    }
}

fn no_thread(why: &str) -> SoundError {
    SoundError::Unusable { name: "sound".into(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Barrier, Weak};

    fn wait<T: Send + 'static>(opening: &Opening<T>) -> Result<T, SoundError> {
        loop {
            if let Some(result) = opening.poll() {
                return result;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_result_comes_when_it_is_there() {
        let gate = Arc::new(Barrier::new(2));
        let inner = Arc::clone(&gate);
        let opening = Opening::start(move || {
            inner.wait();
            Ok(7)
        })
        .unwrap();
        assert_eq!(opening.poll(), None);
        gate.wait();
        assert_eq!(wait(&opening), Ok(7));
        let failed = Opening::<u8>::start(|| Err(SoundError::NoSpeaker)).unwrap();
        assert_eq!(wait(&failed), Err(SoundError::NoSpeaker));
    }

    #[test]
    fn a_device_that_nobody_waits_for_is_closed() {
        let gate = Arc::new(Barrier::new(2));
        let device = Arc::new(());
        let weak: Weak<()> = Arc::downgrade(&device);
        let inner = Arc::clone(&gate);
        let opening = Opening::start(move || {
            inner.wait();
            Ok(device)
        })
        .unwrap();
        drop(opening);
        gate.wait();
        while weak.upgrade().is_some() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_library_that_panics_is_an_error() {
        let opening = Opening::<u8>::start(|| panic!("on purpose")).unwrap();
        assert!(wait(&opening).is_err());
    }
}
