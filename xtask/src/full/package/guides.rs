//! The code of each guide compiles, and runs, with what the guide says to depend on and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use super::page::{self, Page};
use super::project::{Project, Sources};
use crate::command::{Outcome, run};
use crate::workspace::tracked;

/// Tries each page of `docs/guides/` that has code, in a project of its own.
pub(super) fn try_all(crates: &[(String, PathBuf)]) -> Outcome {
    for path in tracked(".md")?.into_iter().filter(|path| path.starts_with("docs/guides")) {
        let guide = page::read(&path.to_string_lossy())?;
        if guide.text().contains("```rust") {
            try_one(crates, &guide)?;
        }
    }
    Ok(())
}

fn try_one(crates: &[(String, PathBuf)], guide: &Page) -> Outcome {
    let sources = Sources {
        name: format!("guide-{}", guide.name()),
        dependencies: merged(guide.blocks("toml").chain([super::BEFORE])),
        main: "docs/examples/adopt_before.rs",
    };
    let project = Project::write(crates, &sources)?;
    fs::write(project.folder.join("guide.md"), guide.text())?;
    fs::write(project.folder.join("src/lib.rs"), "#![doc = include_str!(\"../guide.md\")]\n")?;
    run(&mut project.cargo("test", &["--quiet", "--doc"]))
}

/// What is asked of a crate.
#[derive(Default)]
struct Asked<'a> {
    version: &'a str,
    features: BTreeSet<&'a str>,
    with_defaults: bool,
}

/// The dependencies of all blocks as one table; a crate that is there twice has the features of both.
fn merged<'a>(blocks: impl Iterator<Item = &'a str>) -> String {
    let mut all: BTreeMap<&str, Asked<'_>> = BTreeMap::new();
    for line in blocks.flat_map(str::lines) {
        let Some((name, asked)) = line.split_once(" = ") else { continue };
        let entry = all.entry(name).or_default();
        entry.version = quoted(asked).next().unwrap_or_default();
        entry.with_defaults |= !asked.contains("default-features = false");
        if let Some((_, features)) = asked.split_once("features = [") {
            entry.features.extend(quoted(features));
        }
    }
    let line = |(name, Asked { version, features, with_defaults }): (&str, Asked<'_>)| {
        let features: Vec<_> = features.into_iter().collect();
        format!(
            "{name} = {{ version = {version:?}, features = {features:?}, \
             default-features = {with_defaults} }}\n"
        )
    };
    all.into_iter().map(line).collect()
}

/// What stands between quotation marks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_is_asked_for_twice_has_the_features_of_both() {
        let blocks = ["a = \"1\"\n", "a = { version = \"1\", features = [\"x\", \"y\"] } # why\n"];
        let expected =
            "a = { version = \"1\", features = [\"x\", \"y\"], default-features = true }\n";
        assert_eq!(merged(blocks.into_iter()), expected);
    }
}
