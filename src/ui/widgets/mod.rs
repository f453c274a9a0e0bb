//! Building blocks of the screens: each draws one thing and knows no engine.

pub mod avatar;
pub mod buttons;
pub mod lamps;
pub mod meter;
pub mod page;
pub mod qr;
pub mod qr_reader;
pub mod self_view;
pub mod toast;
