//! Packetise, reassemble, order, feedback. Sans-IO; sees no key and no socket.
