//! What a document shows.

use super::read as read_file;
use crate::command::{Failure, Outcome};

/// A document of the project.
pub(super) struct Page {
    pub(super) path: String,
    text: String,
}

pub(super) fn read(path: &str) -> Outcome<Page> {
    Ok(Page { path: path.to_owned(), text: read_file(path)? })
}

impl Page {
    /// The first block of code in `language`.
    pub(super) fn block(&self, language: &str) -> Outcome<&str> {
        let block = self.blocks(language).next();
        block.ok_or_else(|| Failure::new(format!("{} shows no {language}", self.path)))
    }

    /// All blocks of code in `language`.
    pub(super) fn blocks(&self, language: &str) -> impl Iterator<Item = &str> {
        let fence = format!("```{language}\n");
        let begins: Vec<usize> =
            self.text.match_indices(&fence).map(|(at, _)| at + fence.len()).collect();
        begins.into_iter().filter_map(|begin| self.text[begin..].split("```").next())
    }

    /// The name of the file.
    pub(super) fn name(&self) -> &str {
        let file = self.path.rsplit('/').next().unwrap_or_default();
        file.trim_end_matches(".md")
    }

    /// All of it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}
