//! The icons of the window, as characters of the icon font in `assets/fonts/`.

/// Microphone on.
pub const MICROPHONE: char = '\u{e326}';
/// Microphone off.
pub const MICROPHONE_OFF: char = '\u{e328}';
/// Camera on, or a call with picture.
pub const CAMERA: char = '\u{e4da}';
/// Camera off.
pub const CAMERA_OFF: char = '\u{e4dc}';
/// A call by voice, or accepting one.
pub const PHONE: char = '\u{e3b8}';
/// Hanging up or declining.
pub const HANG_UP: char = '\u{e3bc}';
/// Settings.
pub const SETTINGS: char = '\u{e272}';
/// The call is sealed end to end.
pub const LOCK: char = '\u{e2fa}';
/// Known to be the right person.
pub const VERIFIED: char = '\u{e40c}';
/// Something to look at.
pub const WARNING: char = '\u{e4e0}';
/// A person.
pub const PERSON: char = '\u{e4c2}';
/// Adding a person.
pub const ADD_PERSON: char = '\u{e4d0}';
/// Sound comes out.
pub const SPEAKER: char = '\u{e44a}';
/// No sound comes out.
pub const SPEAKER_OFF: char = '\u{e45a}';
/// No connection.
pub const NO_CONNECTION: char = '\u{e4f2}';
/// It worked.
pub const DONE: char = '\u{e184}';
/// The chosen one of several.
pub const CHOSEN: char = '\u{e182}';
/// Calling is not possible.
pub const PROHIBITED: char = '\u{e3de}';
/// Changing a name.
pub const RENAME: char = '\u{e3b4}';
/// Removing.
pub const REMOVE: char = '\u{e4a6}';
/// Copying to the clipboard.
pub const COPY: char = '\u{e1ca}';
/// Closing.
pub const CLOSE: char = '\u{e4f6}';
/// Adding.
pub const ADD: char = '\u{e3d4}';
/// Searching.
pub const SEARCH: char = '\u{e30c}';
/// More choices.
pub const MORE: char = '\u{e208}';
/// Back to the screen before.
pub const BACK: char = '\u{e058}';
/// On to the next step.
pub const NEXT: char = '\u{e06c}';
/// Into full screen.
pub const FULL_SCREEN: char = '\u{e1d0}';
/// Out of full screen.
pub const LEAVE_FULL_SCREEN: char = '\u{e1ce}';
/// Help.
pub const HELP: char = '\u{e3e8}';
/// Again.
pub const AGAIN: char = '\u{e036}';
/// The line of figures.
pub const FIGURES: char = '\u{e628}';
/// Shortcuts.
pub const KEYBOARD: char = '\u{e2d8}';
/// Light colours.
pub const LIGHT: char = '\u{e472}';
/// Dark colours.
pub const DARK: char = '\u{e330}';
/// Colours as the system has them.
pub const SYSTEM_COLOURS: char = '\u{e18c}';
