//! The tasks of the direct way: listening or dialling, the second proof of readiness, and then the call's messages.
//!
//! A connection that stands is nothing yet. Each side sends its proof, bound to the connection by the TLS exporter; control,
//! which has the keys, makes the one and checks the other. Only then the connection is used; else it is closed.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::session::{PathEvent, PathEvents, say_last_words};
use crate::net::direct::{CallSocket, DIAL, channel_binding};
use crate::net::streams::{MessageReader, StreamError, write_message};
use crate::transport::candidates::MAX_CANDIDATES;
use crate::wire::call::DirectMessage;

/// Messages that may wait for a direct connection. What does not fit is sent again on the next way.
pub const MESSAGES: usize = 128;
/// Longest time for both proofs.
const PROVE: Duration = Duration::from_secs(4);

/// A proved direct connection as control holds it; dropping it closes the connection once the last words are out.
pub struct DirectLink {
    /// For packets.
    pub connection: quinn::Connection,
    /// For messages.
    pub messages: mpsc::Sender<Vec<u8>>,
}

/// What a direct connection tells control.
pub enum DirectEvent {
    /// It stands: our proof for it is needed. No answer closes it.
    Stands {
        /// What the proof is bound to.
        channel: [u8; 32],
        /// For our proof.
        proof: oneshot::Sender<[u8; 32]>,
    },
    /// The peer's proof came. Without a yes the connection is closed.
    Proved {
        /// The connection, to be used only if the proof holds.
        link: DirectLink,
        /// What the proof is bound to.
        channel: [u8; 32],
        /// The peer's proof.
        proof: [u8; 32],
        /// For a yes.
        taken: oneshot::Sender<()>,
    },
    /// A connection that was taken is gone; its number.
    Lost(usize),
}

/// Takes the peer's connections for as long as the task lives.
pub async fn listen(socket: CallSocket, events: PathEvents) {
    let mut attempts = JoinSet::new();
    loop {
        tokio::select! {
            incoming = socket.accept() => {
                let Some(incoming) = incoming else { return };
                if attempts.len() >= MAX_CANDIDATES {
                    incoming.ignore();
                    continue;
                }
                let events = events.clone();
                attempts.spawn(async move {
                    if let Ok(Ok(connection)) = tokio::time::timeout(DIAL, incoming).await {
                        // Whatever becomes of the listening: a connection lives for as long as control wants it.
                        tokio::spawn(serve(connection, false, events));
                    }
                });
            }
            Some(_) = attempts.join_next() => {}
        }
    }
}

/// Dials the peer's candidates, and serves the connection that stands first.
pub async fn dial(socket: CallSocket, candidates: Vec<SocketAddr>, events: PathEvents) {
    if let Some(connection) = socket.dial(candidates).await {
        tokio::spawn(serve(connection, true, events));
    }
}

async fn serve(connection: quinn::Connection, dialled: bool, events: PathEvents) {
    let proving = prove(&connection, dialled, &events);
    if let Ok(Ok(proved)) = tokio::time::timeout(PROVE, proving).await {
        let number = connection.stable_id();
        let _ = talk(proved, &connection, &events).await;
        let _ = events.send(PathEvent::Direct(DirectEvent::Lost(number))).await;
    }
    connection.close(0_u32.into(), b"");
}

struct Proved {
    writer: quinn::SendStream,
    reader: MessageReader,
    messages: mpsc::Receiver<Vec<u8>>,
}

/// Exchanges the proofs; succeeds only with control's yes.
async fn prove(connection: &quinn::Connection, dialled: bool, events: &PathEvents) -> Result<Proved, StreamError> {
    let lost = |_| StreamError::Lost;
    let channel = channel_binding(connection).ok_or(StreamError::Lost)?;
    let (mut writer, stream) =
        if dialled { connection.open_bi().await } else { connection.accept_bi().await }.map_err(lost)?;
    let mut reader = MessageReader::new(stream);

    let (proof, own) = oneshot::channel();
    let tell = |event| async { events.send(PathEvent::Direct(event)).await.map_err(|_| StreamError::Lost) };
    tell(DirectEvent::Stands { channel, proof }).await?;
    let own = own.await.map_err(|_| StreamError::Lost)?;
    write_message(&mut writer, &DirectMessage::Ready(own)).await?;

    let DirectMessage::Ready(proof) = reader.read().await? else { return Err(StreamError::Malformed) };
    let (taken, yes) = oneshot::channel();
    let (sender, messages) = mpsc::channel(MESSAGES);
    let link = DirectLink { connection: connection.clone(), messages: sender };
    tell(DirectEvent::Proved { link, channel, proof, taken }).await?;
    yes.await.map_err(|_| StreamError::Lost)?;
    Ok(Proved { writer, reader, messages })
}

/// Passes messages both ways until the connection is lost, or control lets it go.
async fn talk(proved: Proved, connection: &quinn::Connection, events: &PathEvents) -> Result<(), StreamError> {
    let Proved { mut writer, mut reader, mut messages } = proved;
    loop {
        tokio::select! {
            message = messages.recv() => {
                let Some(message) = message else {
                    say_last_words(&mut writer, connection).await;
                    return Ok(());
                };
                write_message(&mut writer, &DirectMessage::Call(message)).await?;
            }
            message = reader.read() => {
                let DirectMessage::Call(bytes) = message? else { return Err(StreamError::Malformed) };
                events.send(PathEvent::CallMessage(bytes)).await.map_err(|_| StreamError::Lost)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::AddressGrant;
    use crate::engine::session::Event;
    use crate::net::ceiling::Ceiling;
    use ed25519_dalek::SigningKey;
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    /// Of the path, which its reports bear.
    const NUMBER: u64 = 7;

    fn key(number: u8) -> Arc<SigningKey> {
        Arc::new(SigningKey::from_bytes(&[number; 32]))
    }

    fn socket(own: u8, peer: u8) -> CallSocket {
        CallSocket::open(key(own), key(peer).verifying_key().to_bytes(), Ceiling::default(), None).unwrap()
    }

    fn listening(own: u8, peer: u8) -> (CallSocket, SocketAddr, mpsc::Receiver<Event>) {
        let socket = socket(own, peer);
        socket.listen(&AddressGrant::for_test()).unwrap();
        let port = socket.endpoint().local_addr().unwrap().port();
        let (events, incoming) = mpsc::channel(8);
        tokio::spawn(listen(socket.clone(), PathEvents::new(NUMBER, events)));
        (socket, SocketAddr::from((Ipv4Addr::LOCALHOST, port)), incoming)
    }

    fn dialling(own: u8, peer: u8, to: SocketAddr) -> (CallSocket, mpsc::Receiver<Event>) {
        let socket = socket(own, peer);
        let (events, incoming) = mpsc::channel(8);
        tokio::spawn(dial(socket.clone(), vec![to], PathEvents::new(NUMBER, events)));
        (socket, incoming)
    }

    /// Plays control: proves with `own` mixed into the channel, takes what `peer` proves. Gives the link if it was taken.
    async fn control(incoming: &mut mpsc::Receiver<Event>, own: u8, peer: u8) -> Option<DirectLink> {
        while let Some(event) = incoming.recv().await {
            match event {
                Event::Path(NUMBER, PathEvent::Direct(DirectEvent::Stands { channel, proof })) => {
                    proof.send(channel.map(|byte| byte ^ own)).unwrap();
                }
                Event::Path(NUMBER, PathEvent::Direct(DirectEvent::Proved { link, channel, proof, taken })) => {
                    if proof == channel.map(|byte| byte ^ peer) {
                        taken.send(()).unwrap();
                        return Some(link);
                    }
                    return None;
                }
                _ => {}
            }
        }
        None
    }

    #[tokio::test]
    async fn proved_connections_carry_messages_and_tell_their_end() {
        let (_socket, at, mut callee) = listening(1, 2);
        let (_other, mut caller) = dialling(2, 1, at);
        let (callee_link, caller_link) = tokio::join!(control(&mut callee, 7, 8), control(&mut caller, 8, 7));
        let (callee_link, caller_link) = (callee_link.unwrap(), caller_link.unwrap());
        caller_link.messages.send(b"to the callee".to_vec()).await.unwrap();
        assert!(
            matches!(callee.recv().await, Some(Event::Path(NUMBER, PathEvent::CallMessage(bytes))) if bytes == b"to the callee")
        );
        let number = callee_link.connection.stable_id();
        caller_link.messages.send(b"bye".to_vec()).await.unwrap();
        drop(caller_link);
        assert!(
            matches!(callee.recv().await, Some(Event::Path(NUMBER, PathEvent::CallMessage(bytes))) if bytes == b"bye")
        );
        assert!(
            matches!(callee.recv().await, Some(Event::Path(NUMBER, PathEvent::Direct(DirectEvent::Lost(lost)))) if lost == number)
        );
    }

    #[tokio::test]
    async fn a_connection_with_a_wrong_proof_is_closed_and_not_used() {
        let (_socket, at, mut callee) = listening(1, 2);
        let (_other, mut caller) = dialling(2, 1, at);
        let (callee_link, caller_link) = tokio::join!(control(&mut callee, 7, 8), control(&mut caller, 9, 7));
        assert!(callee_link.is_none());
        // The caller was content with the callee's proof, and learns that the callee is not with its own.
        let link = caller_link.unwrap();
        link.connection.closed().await;
        assert!(matches!(caller.recv().await, Some(Event::Path(NUMBER, PathEvent::Direct(DirectEvent::Lost(_))))));
        assert!(callee.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_stranger_does_not_even_get_a_connection() {
        let (_socket, at, mut callee) = listening(1, 2);
        let (stranger, mut incoming) = dialling(3, 1, at);
        // The stranger may think that it is connected, but hears nothing and is told off.
        assert!(control(&mut incoming, 8, 7).await.is_none());
        assert!(callee.try_recv().is_err());
        stranger.endpoint().wait_idle().await;
    }

    #[tokio::test]
    async fn knocks_are_harmless() {
        let (socket, at, mut callee) = listening(1, 2);
        let (other, mut caller) = dialling(2, 1, at);
        let back = SocketAddr::from((Ipv4Addr::LOCALHOST, other.endpoint().local_addr().unwrap().port()));
        tokio::spawn(async move { socket.knock(vec![back]).await });
        let (one, two) = tokio::join!(control(&mut callee, 7, 8), control(&mut caller, 8, 7));
        assert!(one.is_some() && two.is_some());
    }
}
