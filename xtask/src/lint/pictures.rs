//! The pictures show what the code does: their arrows are imports.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::modules::{self, Graph};
use crate::command::Outcome;
use crate::pictures;
use crate::workspace::{metadata, root, tracked};

pub(super) fn check() -> Outcome<Vec<String>> {
    let mut findings = Vec::new();
    for text in tracked(".dot")? {
        let path = root().join(&text);
        let svg = fs::read_to_string(path.with_extension("svg")).unwrap_or_default();
        if !pictures::is_current(&fs::read_to_string(&path)?, &svg) {
            findings.push(format!("{}: run `cargo xtask pictures`", text.display()));
        }
    }
    findings.extend(crates(&pictures::read("crates.dot")?, &dependencies()?));
    findings.extend(walk(&pictures::read("request.dot")?, &modules::graph()?));
    Ok(findings)
}

/// The arrows between the crates are their dependencies, all of them and no others.
fn crates(picture: &str, dependencies: &BTreeSet<(String, String)>) -> Vec<String> {
    let arrows = pictures::arrows(picture).into_iter();
    let arrows: BTreeSet<_> = arrows.map(|(from, to)| (from.to_owned(), to.to_owned())).collect();
    let differing = arrows.symmetric_difference(dependencies);
    differing
        .map(|(from, to)| format!("crates.dot: {from} -> {to} is in one of code and picture"))
        .collect()
}

/// Each arrow between two modules is an import.
fn walk(picture: &str, graph: &Graph) -> Vec<String> {
    let arrows = pictures::arrows(picture).into_iter();
    let between = arrows.filter(|(from, to)| from.contains("::") && to.contains("::"));
    let wrong =
        between.filter(|(from, to)| !graph.get(*from).is_some_and(|found| found.contains(*to)));
    wrong.map(|(from, to)| format!("request.dot: {from} does not import {to}")).collect()
}

/// The dependencies of the published crates on each other, by folder.
fn dependencies() -> Outcome<BTreeSet<(String, String)>> {
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let published = packages.filter(|package| package["publish"].is_null());
    Ok(published.flat_map(dependencies_of).collect())
}

fn dependencies_of(package: &Value) -> Vec<(String, String)> {
    let folder =
        |name: &Value| name.as_str()?.strip_prefix("obs-aws-").map(|name| format!("obs-{name}"));
    let Some(from) = folder(&package["name"]) else { return Vec::new() };
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    let normal = dependencies.filter(|dependency| dependency["kind"].is_null());
    normal.filter_map(|dependency| Some((from.clone(), folder(&dependency["name"])?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn an_arrow_too_many_and_one_too_few_are_found() {
        let picture = "  \"a\" -> \"b\";\n";
        assert!(crates(picture, &BTreeSet::from([edge("a", "b")])).is_empty());
        assert_eq!(crates(picture, &BTreeSet::new()).len(), 1);
        assert_eq!(crates("", &BTreeSet::from([edge("a", "b")])).len(), 1);
    }

    #[test]
    fn an_arrow_that_no_import_follows_is_found() {
        let graph = Graph::from([("a::x".to_owned(), BTreeSet::from(["b::y".to_owned()]))]);
        assert!(walk("\"a::x\" -> \"b::y\";\n\"a::x\" -> \"handler\";", &graph).is_empty());
        assert_eq!(walk("\"a::x\" -> \"b::z\";", &graph).len(), 1);
    }
}
