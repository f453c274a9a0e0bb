//! Latency of a whole call, measured through real sockets.
