//! `cargo xtask pictures`: draws `docs/pictures/*.dot` as the `.svg` beside them.

use std::fs;
use std::hash::Hasher;
use std::path::Path;
use std::process::Command;

use crate::command::{Failure, Outcome, capture};
use crate::parts::debian;
use crate::workspace::{root, tracked};

/// Draws every picture.
pub(crate) fn draw() -> Outcome {
    if debian::which("dot").is_none() {
        debian::install(&["graphviz"])?;
    }
    for text in tracked(".dot")? {
        let path = root().join(&text);
        let svg = capture(Command::new("dot").arg("-Tsvg").arg(&path))?;
        let svg = format!("{}\n{}", mark(&fs::read_to_string(&path)?), body(&svg)?);
        fs::write(path.with_extension("svg"), svg)?;
    }
    Ok(())
}

/// Whether the picture was drawn from the text as it is now.
pub(crate) fn is_current(text: &str, svg: &str) -> bool {
    svg.starts_with(&mark(text))
}

/// The first line of a picture: which text it was drawn from.
fn mark(text: &str) -> String {
    // FNV-1a, so that the mark is the same on every machine and with every compiler.
    struct Fnv(u64);
    impl Hasher for Fnv {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
            }
        }
    }
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    hasher.write(text.as_bytes());
    format!(
        "<!-- drawn by `cargo xtask pictures` from the text with the sum {:016x} -->",
        hasher.finish()
    )
}

/// The drawing itself, without what names the program and its version.
fn body(svg: &str) -> Outcome<&str> {
    let start = svg.find("<svg").ok_or_else(|| Failure::new("dot drew no picture"))?;
    Ok(&svg[start..])
}

/// The arrows of a picture, by the names of their ends.
pub(crate) fn arrows(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix('"'));
    lines.filter_map(arrow).collect()
}

fn arrow(line: &str) -> Option<(&str, &str)> {
    let (from, rest) = line.split_once("\" -> \"")?;
    Some((from, rest.split('"').next()?))
}

/// The text of a picture.
pub(crate) fn read(name: &str) -> Outcome<String> {
    Ok(fs::read_to_string(root().join(Path::new("docs/pictures")).join(name))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_are_read_and_nodes_are_not() {
        let text =
            "digraph x {\n  \"a\" [label = \"a -> b\"];\n  \"a\" -> \"b\" [label = \"1\"];\n}";
        assert_eq!(arrows(text), [("a", "b")]);
    }

    #[test]
    fn a_picture_of_another_text_is_not_current() {
        let svg = format!("{}\n<svg/>", mark("one"));
        assert!(is_current("one", &svg) && !is_current("two", &svg));
    }
}
