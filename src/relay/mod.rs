//! Who gets which sealed packet, and how much. Sans-IO; sees no key.
