//! Identity, device chain, sealed envelopes, MLS group, SFrame, safety number. Sees no socket address.
