//! How a call ended, in words for people and in exit codes for scripts.

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// We hung up.
    HungUp,
    /// They hung up.
    PeerHungUp,
    /// They declined.
    Declined,
    /// We declined.
    DeclinedHere,
    /// We gave up before an answer, or either did while the call was being connected.
    Cancelled,
    /// Nobody answered in time.
    NoAnswer,
    /// We did not answer before the caller gave up or the time was over.
    Missed,
    /// They are in another call.
    Busy,
    /// None of their devices is connected.
    Offline,
    /// The server knows no such handle.
    Unknown,
    /// Another of our own devices took it.
    TakenElsewhere,
    /// Their account's root key is not the one pinned.
    KeyChanged,
    /// Their device was shut out of their account during the call.
    PeerRevoked,
    /// The path was lost and did not come back.
    Lost,
    /// The server cannot be reached or refused us.
    Server(String),
    /// The peer (or somebody in its place) broke the protocol.
    Fault(String),
    /// The peer says so of us (or of somebody in our place).
    PeerFault,
}

impl Outcome {
    /// One sentence for the person.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::HungUp => "You hung up.".into(),
            Self::PeerHungUp => "They hung up.".into(),
            Self::Declined => "They declined the call.".into(),
            Self::DeclinedHere => "You declined the call.".into(),
            Self::Cancelled => "The call was cancelled.".into(),
            Self::NoAnswer => "No answer.".into(),
            Self::Missed => "You missed the call.".into(),
            Self::Busy => "They are in another call.".into(),
            Self::Offline => "They are offline. Try again later.".into(),
            Self::Unknown => "The server knows no such handle. Check the spelling.".into(),
            Self::TakenElsewhere => "Answered on another of your devices.".into(),
            Self::KeyChanged => {
                "Their account key has changed. Compare the safety number with them before you call again.".into()
            }
            Self::PeerRevoked => {
                "The call was ended: the device on the other side is no longer part of their account.".into()
            }
            Self::Lost => "The connection was lost and did not come back.".into(),
            Self::Server(why) => format!("The server cannot be used: {why}"),
            Self::PeerFault => "The other side found that a rule was broken, and ended the call.".into(),
            Self::Fault(why) => format!("The call was ended because the other side broke the rules: {why}"),
        }
    }

    /// The exit code of `visavis call` and `visavis answer`: 0 for a call that was held, 5 for the network, else 1.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::HungUp | Self::PeerHungUp => 0,
            Self::Lost | Self::Server(_) => 5,
            _ => 1,
        }
    }
}
