//! The operator's way into a running server: a Unix socket in the data directory, which only its owner can open. One line
//! with a name comes in; what is held about that account goes out as JSON.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::disclosure::Disclosure;
use super::state::State;

const FILE: &str = "visavis-server.sock";
/// Most bytes of a question.
const MAX_QUESTION: u64 = 256;
const PATIENCE: Duration = Duration::from_secs(5);

/// The socket, for as long as the server runs.
pub struct AdminSocket {
    path: PathBuf,
    listener: UnixListener,
}

impl AdminSocket {
    /// Opens the socket in the data directory, in place of one that a crash left there: whoever has the database open is
    /// the only server here. Inside a runtime.
    pub fn open(data: &Path) -> io::Result<Self> {
        let path = data.join(FILE);
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(Self { path, listener })
    }

    /// Answers, one after the other.
    pub async fn serve(&self, state: &Arc<State>) {
        loop {
            match self.listener.accept().await {
                // Who does not ask or read in time gets no answer.
                Ok((stream, _)) => drop(tokio::time::timeout(PATIENCE, answer(stream, state)).await),
                // Too many files are open: later there may be fewer.
                Err(_) => tokio::time::sleep(PATIENCE).await,
            }
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn answer(stream: UnixStream, state: &Arc<State>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut name = String::new();
    BufReader::new(reader.take(MAX_QUESTION)).read_line(&mut name).await?;
    let disclosure = state.disclose(name.trim().to_owned()).await.map_err(io::Error::other)?;
    writer.write_all(&serde_json::to_vec(&disclosure)?).await?;
    writer.shutdown().await
}

/// Asks the server that runs over `data`; nothing if none does.
pub async fn ask(data: &Path, name: &str) -> io::Result<Option<Disclosure>> {
    let Ok(mut stream) = UnixStream::connect(data.join(FILE)).await else { return Ok(None) };
    stream.write_all(format!("{name}\n").as_bytes()).await?;
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await??;
    Ok(Some(serde_json::from_slice(&answer)?))
}
