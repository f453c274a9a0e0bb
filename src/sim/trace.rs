//! Recorded links in mahimahi's format (Netravali et al., USENIX ATC 2015): each line is the millisecond at which one packet of
//! up to 1504 bytes may leave; after the last one the recording begins again.

use std::sync::Arc;

/// Bytes that may leave at one opportunity.
pub const OPPORTUNITY_BYTES: u64 = 1504;
/// Most lines of a trace: a day and a half at 100 Mb/s would not be one.
const MAX_LINES: usize = 8_000_000;

/// When packets may leave.
#[derive(Clone, PartialEq, Eq)]
pub struct Trace {
    opportunities_ms: Arc<[u32]>,
}

/// What is wrong with the text of a trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// Not a number.
    #[error("line {0} is not a whole number of milliseconds")]
    NotANumber(usize),
    /// Earlier than the line before it.
    #[error("line {0} is earlier than the line before it")]
    Backwards(usize),
    /// Nothing in it, or all at zero.
    #[error("it lasts no time: the last line must be above zero")]
    Empty,
    /// Too long to be one.
    #[error("it has more than {MAX_LINES} lines")]
    TooLong,
}

impl Trace {
    /// Reads the text of a trace. Blank lines count for nothing.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let mut opportunities_ms = Vec::new();
        let mut before = 0;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let at: u32 = line.parse().map_err(|_| TraceError::NotANumber(number))?;
            if at < before {
                return Err(TraceError::Backwards(number));
            }
            if opportunities_ms.len() == MAX_LINES {
                return Err(TraceError::TooLong);
            }
            before = at;
            opportunities_ms.push(at);
        }
        if before == 0 {
            return Err(TraceError::Empty);
        }
        Ok(Self { opportunities_ms: opportunities_ms.into() })
    }

    /// Bits a second on average, if all is used.
    #[must_use]
    pub fn mean_bps(&self) -> u64 {
        (self.opportunities_ms.len() as u64 * OPPORTUNITY_BYTES * 8_000) / self.period_ms()
    }

    /// Length before it begins again.
    #[must_use]
    pub fn period_ms(&self) -> u64 {
        self.opportunities_ms.last().copied().map_or(1, u64::from).max(1)
    }

    /// How many opportunities there are in one millisecond of a round.
    pub(super) fn opportunities_at(&self, ms: u64) -> usize {
        let until = |ms: u64| self.opportunities_ms.partition_point(|at| u64::from(*at) < ms);
        until(ms + 1) - until(ms)
    }

    /// Opportunities in one round.
    pub(super) fn opportunities_ms(&self) -> &[u32] {
        &self.opportunities_ms
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trace({} opportunities in {} ms)", self.opportunities_ms.len(), self.period_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn faults_are_named_by_their_line() {
        assert_eq!(Trace::parse("1\n2\nx"), Err(TraceError::NotANumber(3)));
        assert_eq!(Trace::parse("1\n5\n\n4"), Err(TraceError::Backwards(4)));
        assert_eq!(Trace::parse("-1"), Err(TraceError::NotANumber(1)));
        for empty in ["", "\n\n", "0\n0"] {
            assert_eq!(Trace::parse(empty), Err(TraceError::Empty));
        }
        assert_eq!(Trace::parse("0\r\n500\r\n1000\r\n").unwrap().mean_bps(), 3 * 1504 * 8);
    }

    proptest! {
        #[test]
        fn any_text_gives_a_trace_or_an_error(text in "[0-9x \r\n-]{0,60}") {
            if let Ok(trace) = Trace::parse(&text) {
                prop_assert!(trace.period_ms() > 0 && trace.opportunities_ms().is_sorted());
            }
        }
    }
}
