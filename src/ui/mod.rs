//! The window: theme, screens, widgets. Knows the engine's handle and the renderer only.
