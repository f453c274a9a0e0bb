//! QUIC endpoints with mutually pinned raw public keys, the signalling client, direct and relay paths.
