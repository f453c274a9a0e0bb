//! A person as a circle with initials.

use egui::{Align2, Painter, Pos2, Sense, Ui, Vec2};

use crate::ui::theme;

/// Draws somebody in the flow of a row.
pub fn avatar_ui(ui: &mut Ui, handle: &str, name: &str, diameter: f32) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(diameter), Sense::hover());
    paint(ui.painter(), rect.center(), diameter, handle, name);
}

/// Draws somebody at a place.
pub fn paint(painter: &Painter, centre: Pos2, diameter: f32, handle: &str, name: &str) {
    painter.circle_filled(centre, diameter / 2.0, theme::avatar(handle));
    let font = theme::strong((diameter * 0.4).round());
    painter.text(centre, Align2::CENTER_CENTER, initials(name), font, theme::ON_AVATAR);
}

/// The first letters of the first and the last word, or of the one word.
#[must_use]
pub fn initials(name: &str) -> String {
    let mut words = name
        .split(|character: char| !character.is_alphanumeric())
        .filter_map(|word| word.chars().next())
        .flat_map(char::to_uppercase);
    let first = words.next();
    first.into_iter().chain(words.next_back()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_of_the_first_and_the_last_word() {
        assert_eq!(initials("Ada King Lovelace"), "AL");
        assert_eq!(initials("bob"), "B");
        assert_eq!(initials("jan.de-vries"), "JV");
        assert_eq!(initials("  ·  "), "");
        assert_eq!(initials("émile zola"), "ÉZ");
    }
}
