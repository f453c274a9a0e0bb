//! Two whole clients and a server on this machine: own profiles, own sockets, one call between them. For the benches and
//! the demonstration.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tempfile::TempDir;

use crate::call::UserConsent;
use crate::engine::config::EngineConfig;
use crate::engine::handle::{CallView, Command, EngineHandle, ServerStatus, Snapshot};
use crate::engine::standing::Standing;
use crate::engine::{Engine, StartError};
use crate::server::{RunningServer, ServerConfig, ServerError};
use crate::store::profile::{Profile, ProfileError};
use crate::wire::link::ContactLink;

/// Longest time for coming online, and for getting from the call to the talk.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why there is no call to look at.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// No room for profiles.
    #[error("no temporary folder for the profiles: {0}; set TMPDIR to a folder with room")]
    Folder(#[from] std::io::Error),
    /// The embedded server.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A client's profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A client's engine.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A client has stopped by itself.
    #[error("the engine has stopped")]
    Stopped,
    /// A client does not come online.
    #[error("the embedded server cannot be reached: {0}")]
    Offline(String),
    /// The call did not come about.
    #[error("the call did not begin: {0}")]
    NoCall(String),
}

/// One client.
pub struct Endpoint {
    /// Commands in, snapshots and pictures out.
    pub handle: EngineHandle,
    engine: Engine,
}

/// Two clients and their server. Dropping it ends all three and removes their files.
pub struct Pair {
    /// Who rings.
    pub caller: Endpoint,
    /// Who answers.
    pub callee: Endpoint,
    callee_handle: String,
    server: RunningServer,
    /// Last, so that everybody has let go of their files.
    _folder: TempDir,
}

impl Pair {
    /// Starts a server and two clients with these names, and waits until both are online and know their encoder.
    pub fn start(caller: (&str, EngineConfig), callee: (&str, EngineConfig)) -> Result<Self, PairError> {
        let folder = tempfile::Builder::new().prefix("visavis-").tempdir()?;
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = RunningServer::start(&ServerConfig { listen, data: folder.path().join("server"), domain: None })?;
        let address = server.address().to_string();
        let endpoint = |(name, config): (&str, EngineConfig)| -> Result<Endpoint, PairError> {
            let profile = Profile::open(&folder.path().join(name))?;
            let (engine, handle) = Engine::start(profile, config)?;
            let create = Command::CreateProfile { name: name.to_owned(), server: address.clone() };
            if handle.send(create) { Ok(Endpoint { handle, engine }) } else { Err(PairError::Stopped) }
        };
        let mut caller = endpoint(caller)?;
        let mut callee = endpoint(callee)?;
        caller.come_online()?;
        let callee_handle = callee.come_online()?;
        let [of_caller, of_callee] = [&caller, &callee].map(|endpoint| endpoint.handle.snapshot().link);
        for (endpoint, link) in [(&mut caller, of_callee), (&mut callee, of_caller)] {
            let link = link.ok_or(PairError::Stopped)?;
            endpoint.add(&link)?;
        }
        Ok(Self { caller, callee, callee_handle, server, _folder: folder })
    }

    /// The handle that rings the callee.
    #[must_use]
    pub fn callee_handle(&self) -> &str {
        &self.callee_handle
    }

    /// Calls, answers, and waits until both are face to face. The command that asked for this is the persons' consent.
    pub fn talk(&mut self, answer_with_video: bool) -> Result<(), PairError> {
        self.ring()?;
        self.answer(answer_with_video)
    }

    /// Calls, and waits until it rings over there and is known to here.
    pub fn ring(&mut self) -> Result<(), PairError> {
        let dial =
            Command::Dial { handle: self.callee_handle.clone(), video: true, consent: UserConsent::given_by_person() };
        self.caller.send(dial)?;
        self.callee.wait(|now| matches!(now.call, CallView::Incoming { .. }))?;
        self.caller.wait(|now| matches!(now.call, CallView::Outgoing { ringing: true, .. }))
    }

    /// Answers, and waits until both are face to face.
    pub fn answer(&mut self, answer_with_video: bool) -> Result<(), PairError> {
        let call = self.callee.handle.snapshot().call_number;
        let consent = UserConsent::given_by_person();
        self.callee.send(Command::Accept { call, video: answer_with_video, consent })?;
        for endpoint in [&mut self.caller, &mut self.callee] {
            endpoint.wait(|now| matches!(now.call, CallView::Active(_)))?;
        }
        Ok(())
    }

    /// Ends everything in order.
    pub fn shutdown(self) {
        let Self { caller, callee, server, .. } = self;
        let _ = caller.engine.shutdown();
        let _ = callee.engine.shutdown();
        server.shutdown();
    }
}

impl Endpoint {
    /// Asks the engine for something.
    pub fn send(&self, command: Command) -> Result<(), PairError> {
        if self.handle.send(command) { Ok(()) } else { Err(PairError::Stopped) }
    }

    /// Ends the call that there is.
    pub fn hang_up(&self) -> Result<(), PairError> {
        self.send(Command::HangUp { call: self.handle.snapshot().call_number })
    }

    /// Waits until the call has come so far; an error if it ends first or takes too long.
    fn wait(&mut self, holds: impl Fn(&Snapshot) -> bool) -> Result<(), PairError> {
        let over = |now: &Snapshot| matches!(now.call.standing(), Standing::Over { .. });
        let snapshot = self.handle.wait_for(Some(PATIENCE), |now| holds(now) || over(now)).ok_or(PairError::Stopped)?;
        match snapshot.call.standing() {
            _ if holds(&snapshot) => Ok(()),
            Standing::Over { outcome, .. } => Err(PairError::NoCall(outcome.sentence())),
            _ => Err(PairError::NoCall("the other side does not answer in time".into())),
        }
    }

    /// Keeps the other as a contact: what is measured is no call of strangers, which goes by relay only.
    fn add(&mut self, link: &ContactLink) -> Result<(), PairError> {
        self.send(Command::AddContact { whom: link.to_string() })?;
        let is_known = |now: &Snapshot| now.contacts.iter().any(|contact| contact.handle == link.handle.to_string());
        self.handle.wait_for(Some(PATIENCE), is_known).map(drop).ok_or(PairError::Stopped)
    }

    fn come_online(&mut self) -> Result<String, PairError> {
        let settled = |now: &Snapshot| {
            let online = now.server == ServerStatus::Online && !now.trying_encoders;
            online || now.notice.is_some()
        };
        let snapshot = self.handle.wait_for(Some(PATIENCE), settled).ok_or(PairError::Stopped)?;
        match (snapshot.me, snapshot.server) {
            (Some(me), ServerStatus::Online) => Ok(me.handle),
            (_, ServerStatus::Offline { why, .. }) => Err(PairError::Offline(why)),
            _ => {
                let notice = snapshot.notice.map_or_else(|| "no answer".to_owned(), |(_, notice)| notice.to_string());
                Err(PairError::Offline(notice))
            }
        }
    }
}
