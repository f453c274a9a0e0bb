//! The window: theme, screens, widgets. Knows the engine's handle and the renderer only.

mod action;
mod app;
mod hud;
pub mod icons;
mod picture_window;
mod push_to_talk;
mod screens;
mod shortcuts;
pub mod theme;
mod widgets;
mod window;

pub use app::{App, Measuring, Observer, Seen};
pub use hud::HudSize;
pub use picture_window::{Presented, show_pictures};
pub use widgets::qr_reader::read as read_qr;
pub use window::{WindowError, run};
