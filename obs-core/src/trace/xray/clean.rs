//! Text that X-Ray accepts, made of any text.

/// The longest name of a segment, in characters.
pub(super) const MAX_NAME: usize = 200;
/// The longest text of most fields, in characters.
pub(super) const MAX_FIELD: usize = 250;
/// The longest value of an annotation, in characters.
pub(super) const MAX_ANNOTATION: usize = 1000;
/// The longest key of an annotation, in characters.
pub(super) const MAX_KEY: usize = 500;

/// A name for a segment: what X-Ray does not allow is left out; `unnamed` if nothing stays.
///
/// X-Ray allows Unicode letters and digits, space and `_ . : / % & # = + \ - @`
/// ([documentation](https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html#api-segmentdocuments-fields)).
pub(super) fn name(text: &str) -> String {
    let mut name = String::with_capacity(text.len().min(4 * MAX_NAME));
    let mut length = 0;
    for character in text.trim().chars() {
        let character = if character.is_whitespace() { ' ' } else { character };
        if length < MAX_NAME && in_name(character) {
            name.push(character);
            length += 1;
        }
    }
    let trimmed = name.trim();
    if trimmed.is_empty() { "unnamed".to_owned() } else { trimmed.to_owned() }
}

pub(super) fn in_name(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || " _.:/%&#=+\\-@".contains(character)
        || is_surely_a_letter(character)
}

/// Blocks in which every alphabetic character is a letter. The standard library's `is_alphabetic`
/// alone also holds for marks, for which X-Ray refuses the document.
fn is_surely_a_letter(character: char) -> bool {
    let in_block = matches!(character,
        '\u{aa}'..='\u{24f}'          // Latin
        | '\u{370}'..='\u{482}' | '\u{48a}'..='\u{58f}' // Greek, Cyrillic, Armenian
        | '\u{5d0}'..='\u{5ea}'       // Hebrew
        | '\u{621}'..='\u{64a}'       // Arabic
        | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' // Hiragana, Katakana
        | '\u{4e00}'..='\u{9fff}'     // Chinese, Japanese, Korean
        | '\u{ac00}'..='\u{d7a3}');
    in_block && character.is_alphabetic()
}

/// The key of an annotation: letters, digits, `_` and `.`; others become `_`.
pub(super) fn key(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let key: String =
        text.chars().take(MAX_KEY).map(|c| if allowed(c) { c } else { '_' }).collect();
    if key.is_empty() { "_".to_owned() } else { key }
}

/// The first `max` characters.
pub(super) fn shortened(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_what_is_allowed_and_lose_the_rest() {
        assert_eq!(name("load user {id}"), "load user id");
        assert_eq!(name("svc{1}\n\tx"), "svc1  x");
        assert_eq!(name("größe 数 кот"), "größe 数 кот");
        assert_eq!(name("{}"), "unnamed");
        assert_eq!(name(" \u{345}\u{301} "), "unnamed", "marks are no letters");
        assert_eq!(name(&"é".repeat(300)).chars().count(), 200);
    }

    #[test]
    fn keys_keep_letters_digits_underscores_and_dots() {
        assert_eq!(key("tenant.id"), "tenant.id");
        assert_eq!(key("größe-x y"), "gr__e_x_y");
        assert_eq!(key(""), "_");
    }
}
