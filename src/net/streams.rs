//! Messages over a QUIC stream: four bytes of length, then the message.

use serde::{Deserialize, Serialize};

use crate::wire::signal::{self, MAX_MESSAGE_BYTES};

/// Why nothing more comes, or goes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The stream or its connection is gone.
    #[error("the connection was lost")]
    Lost,
    /// What came is no message of this kind, or too long.
    #[error("the other side sent what is no message")]
    Malformed,
}

/// Writes a message whole.
pub async fn write_message(stream: &mut quinn::SendStream, message: &impl Serialize) -> Result<(), StreamError> {
    stream.write_all(&signal::encode(message)).await.map_err(|_| StreamError::Lost)
}

/// Reads messages of one stream. A read may be abandoned half way and taken up again.
pub struct MessageReader {
    stream: quinn::RecvStream,
    buffer: Vec<u8>,
    max_bytes: usize,
}

impl MessageReader {
    /// Reads from `stream`.
    #[must_use]
    pub const fn new(stream: quinn::RecvStream) -> Self {
        Self { stream, buffer: Vec::new(), max_bytes: MAX_MESSAGE_BYTES }
    }

    /// From now on a message may have this many bytes.
    #[must_use]
    pub const fn with_max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Waits for the first byte of the next message.
    pub async fn begun(&mut self) -> Result<(), StreamError> {
        if self.buffer.is_empty() { self.fill().await } else { Ok(()) }
    }

    /// The next message. Cancelling loses nothing.
    pub async fn read<T: for<'a> Deserialize<'a>>(&mut self) -> Result<T, StreamError> {
        loop {
            if let Some((length, rest)) = self.buffer.split_first_chunk::<4>() {
                let length = u32::from_be_bytes(*length) as usize;
                if length > self.max_bytes {
                    return Err(StreamError::Malformed);
                }
                if let Some(bytes) = rest.get(..length) {
                    let message = signal::decode(bytes).ok_or(StreamError::Malformed);
                    self.buffer.drain(..4 + length);
                    return message;
                }
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), StreamError> {
        let chunk = self.stream.read_chunk(self.max_bytes, true).await.map_err(|_| StreamError::Lost)?;
        self.buffer.extend_from_slice(&chunk.ok_or(StreamError::Lost)?.bytes);
        Ok(())
    }
}
