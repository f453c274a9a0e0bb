//! What of a call's rate is left for video, once sound, reports and headers have theirs.

/// Sound, reports, and what is added to each frame, with all headers, in bits a second.
pub(super) const BESIDE_BPS: f64 = 110_000.0;
/// What headers and padding add to video.
const OVERHEAD: f64 = 1.12;
/// Video of less than this is not worth encoding, in kb/s.
const LEAST_KBPS: f64 = 20.0;

/// Bits a second, with all headers, of a call with this rate of video in kb/s.
#[must_use]
pub fn call_bps(video_kbps: f64) -> f64 {
    video_kbps * 1_000.0 * OVERHEAD + BESIDE_BPS
}

/// Rate of video in kb/s, in a call that may send so many bits a second with all headers; of the video, repair takes this share.
/// Nothing if that is too little.
#[must_use]
pub fn video_kbps(call_bps: f64, repair: f64) -> Option<f64> {
    let kbps = (call_bps - BESIDE_BPS) / OVERHEAD / 1_000.0 * (1.0 - repair);
    (kbps >= LEAST_KBPS).then_some(kbps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn video_gets_back_what_it_was_asked_for_and_repair_takes_nothing_from_sound() {
        assert!((video_kbps(call_bps(600.0), 0.0).unwrap() - 600.0).abs() < 1e-9);
        assert!((video_kbps(call_bps(600.0), 0.25).unwrap() - 450.0).abs() < 1e-9);
        assert_eq!(video_kbps(call_bps(19.0), 0.0), None);
        assert_eq!(video_kbps(0.0, 0.0), None);
    }
}
