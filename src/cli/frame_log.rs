//! One line for each frame sent and shown, for programs that compare the two sides of a call.
//!
//! Columns: `side` (`sent` or `shown`), `frame_id`, `capture_time_s` (sent), `present_time_s` (shown), `boundary` (what
//! "present" means: `gpu_done`, or `decoded` where nothing can be drawn). Times are `CLOCK_MONOTONIC` seconds.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::media::{FrameId, Stage, Stamps};

/// A frame log that is being written.
pub struct FrameLog {
    out: BufWriter<File>,
}

impl FrameLog {
    /// Begins a log at `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut out = BufWriter::new(File::create(path)?);
        writeln!(out, "side,frame_id,capture_time_s,present_time_s,boundary")?;
        Ok(Self { out })
    }

    /// A frame of ours went out.
    pub fn sent(&mut self, id: FrameId, stamps: &Stamps) -> io::Result<()> {
        match stamps.get(Stage::Captured) {
            Some(at) => writeln!(self.out, "sent,{},{:.6},,", id.0, at.as_secs_f64()),
            None => Ok(()),
        }
    }

    /// A frame of the peer's passed `boundary`.
    pub fn shown(&mut self, id: FrameId, stamps: &Stamps, boundary: Stage) -> io::Result<()> {
        match stamps.get(boundary) {
            Some(at) => writeln!(self.out, "shown,{},,{:.6},{}", id.0, at.as_secs_f64(), boundary.name()),
            None => Ok(()),
        }
    }

    /// Writes what is still in memory.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Timestamp;

    #[test]
    fn both_sides_stand_in_their_columns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frames.csv");
        let mut stamps = Stamps::new();
        stamps.set(Stage::Captured, Timestamp::from_nanos(1_500_000_000));
        stamps.set(Stage::GpuDone, Timestamp::from_nanos(1_506_000_000));
        let mut log = FrameLog::create(&path).unwrap();
        log.sent(FrameId(7), &stamps).unwrap();
        log.shown(FrameId(3), &stamps, Stage::GpuDone).unwrap();
        log.shown(FrameId(4), &Stamps::new(), Stage::GpuDone).unwrap();
        log.finish().unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "side,frame_id,capture_time_s,present_time_s,boundary\nsent,7,1.500000,,\nshown,3,,1.506000,gpu_done\n"
        );
    }
}
