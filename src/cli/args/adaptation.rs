//! Options that leave parts of the adaptation to the network out, to measure what each is worth.

use clap::{Args, ValueEnum};

use crate::engine::config::Adaptation;
use crate::net::ceiling::ControllerChoice;

/// What a bench leaves out.
#[derive(Clone, Debug, Default, Args)]
pub struct AdaptationArgs {
    /// Leave parts out, to see what they are worth.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART[,PART]")]
    pub without: Vec<PartArg>,
    /// Who says how fast to send: the call's own controller, or one of QUIC's.
    #[arg(long, value_enum, default_value_t = ControllerArg::Ours)]
    pub controller: ControllerArg,
}

/// A part that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PartArg {
    /// The encoder keeps its rate, whatever the path takes.
    Budget,
    /// Pictures stay as large and as many as they were asked for.
    Ladder,
    /// What is lost is sent again once, with no parity and no haste.
    Fec,
    /// No prediction from acknowledged frames: what cannot be mended makes a keyframe.
    References,
}

/// Who says how fast to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ControllerArg {
    /// The call's own, by delay.
    #[default]
    Ours,
    /// quinn's Cubic.
    Cubic,
    /// quinn's BBR.
    Bbr,
}

impl From<&AdaptationArgs> for Adaptation {
    fn from(arguments: &AdaptationArgs) -> Self {
        let controller = match arguments.controller {
            ControllerArg::Ours => ControllerChoice::Ours,
            ControllerArg::Cubic => ControllerChoice::Cubic,
            ControllerArg::Bbr => ControllerChoice::Bbr,
        };
        let has = |part| !arguments.without.contains(&part);
        Self {
            controller,
            frame_budget: has(PartArg::Budget),
            ladder: has(PartArg::Ladder),
            fec: has(PartArg::Fec),
            references: has(PartArg::References),
        }
    }
}
