//! Colours.

use std::fmt::Display;

/// Colours for a terminal, or none for a pipe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(bool);

impl Paint {
    pub(crate) const fn new(colours: bool) -> Self {
        Self(colours)
    }

    pub(crate) fn heading(self, text: impl Display) -> String {
        self.wrap("1;36", text)
    }

    pub(crate) fn dim(self, text: impl Display) -> String {
        self.wrap("2", text)
    }

    pub(crate) fn bar(self, text: impl Display) -> String {
        self.wrap("34", text)
    }

    pub(crate) fn good(self, text: impl Display) -> String {
        self.wrap("32", text)
    }

    pub(crate) fn bad(self, text: impl Display) -> String {
        self.wrap("33", text)
    }

    fn wrap(self, code: &str, text: impl Display) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}
