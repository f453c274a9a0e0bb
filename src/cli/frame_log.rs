//! One line for each frame sent and shown, for programs that compare the two sides of a call.
//!
//! Columns: `side` (`sent` or `shown`), `frame_id`, `capture_time_s` (sent), `present_time_s` (shown), `boundary` (what
//! "present" means: `gpu_done`, or `decoded` where nothing can be drawn), and for shown frames `capture_to_present_ms` with the
//! `clock_offset_ms` of the peer's clock that was taken off and its `clock_error_ms`: all three, or, while the clocks have not
//! been compared, none. Times are `CLOCK_MONOTONIC` seconds.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::media::{ClockOffset, FrameId, Stage, Stamps};

const COLUMNS: &str =
    "side,frame_id,capture_time_s,present_time_s,boundary,capture_to_present_ms,clock_offset_ms,clock_error_ms";

/// A frame log that is being written.
pub struct FrameLog {
    out: BufWriter<File>,
}

impl FrameLog {
    /// Begins a log at `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut out = BufWriter::new(File::create(path)?);
        writeln!(out, "{COLUMNS}")?;
        Ok(Self { out })
    }

    /// A frame of ours went out.
    pub fn sent(&mut self, id: FrameId, stamps: &Stamps) -> io::Result<()> {
        match stamps.get(Stage::Captured) {
            Some(at) => writeln!(self.out, "sent,{},{:.6},,,,,", id.0, at.as_secs_f64()),
            None => Ok(()),
        }
    }

    /// A frame of the peer's, whose clock is known like this, passed `boundary`.
    pub fn shown(
        &mut self,
        id: FrameId,
        stamps: &Stamps,
        boundary: Stage,
        clock: Option<ClockOffset>,
    ) -> io::Result<()> {
        let Some(at) = stamps.get(boundary) else { return Ok(()) };
        write!(self.out, "shown,{},,{:.6},{},", id.0, at.as_secs_f64(), boundary.name())?;
        let took = stamps.on_our_clock(clock).millis(Stage::Captured, boundary);
        match took.zip(clock) {
            Some((took_ms, clock)) => {
                let offset_ms = if clock.is_one_clock() { 0.0 } else { clock.ahead_ns as f64 / 1e6 };
                let error_ms = clock.error.as_secs_f64() * 1_000.0;
                writeln!(self.out, "{took_ms:.3},{offset_ms:.3},{error_ms:.3}")
            }
            None => writeln!(self.out, ",,"),
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
        let clock = ClockOffset { ahead_ns: -200_000_000, error: std::time::Duration::from_millis(1) };
        let mut log = FrameLog::create(&path).unwrap();
        log.sent(FrameId(7), &stamps).unwrap();
        log.shown(FrameId(3), &stamps, Stage::GpuDone, None).unwrap();
        log.shown(FrameId(5), &stamps, Stage::GpuDone, Some(clock)).unwrap();
        log.shown(FrameId(4), &Stamps::new(), Stage::GpuDone, None).unwrap();
        log.finish().unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = written.lines().collect();
        let known = "shown,5,,1.506000,gpu_done,-194.000,-200.000,1.000";
        assert_eq!(lines, [COLUMNS, "sent,7,1.500000,,,,,", "shown,3,,1.506000,gpu_done,,,", known]);
        assert!(lines.iter().all(|line| line.split(',').count() == 8));
    }
}
