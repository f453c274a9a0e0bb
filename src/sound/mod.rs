//! Microphone and speaker, echo and noise, jitter buffer, resampling, ring tone.
