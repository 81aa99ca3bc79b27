//! The modules of each crate import each other without a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::command::Outcome;
use crate::workspace::{root, tracked};

const CRATES: [&str; 5] = ["obs-core", "obs-emf", "obs-health", "obs-ratelimit", "obs-tower"];

/// Who imports whom: modules as `obs_core::log`.
pub(super) type Graph = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check() -> Outcome<Vec<String>> {
    let graph = graph()?;
    let circles = circles(&graph).into_iter();
    Ok(circles
        .map(|circle| format!("modules import each other: {}", circle.join(" -> ")))
        .collect())
}

/// The imports between the top-level modules of the five crates, tests left out.
pub(super) fn graph() -> Outcome<Graph> {
    let mut graph = Graph::new();
    let files = tracked(".rs")?;
    for krate in CRATES {
        let source = Path::new(krate).join("src");
        for file in files.iter().filter(|file| file.starts_with(&source)) {
            let inside = file.strip_prefix(&source).unwrap_or(file);
            if let Some(module) = module(inside) {
                let library = krate.replace('-', "_");
                let text = fs::read_to_string(root().join(file))?;
                let importer = format!("{library}::{module}");
                let imported = imports(&library, &without_tests(&text));
                let imported = imported.into_iter().filter(|name| *name != importer);
                graph.entry(importer.clone()).or_default().extend(imported);
            }
        }
    }
    let known: BTreeSet<String> = graph.keys().cloned().collect();
    graph.values_mut().for_each(|imported| imported.retain(|name| known.contains(name)));
    Ok(graph)
}

/// The top-level module that a file belongs to; none for the root, programs and tests.
fn module(file: &Path) -> Option<String> {
    let parts: Vec<_> = file.iter().filter_map(|part| part.to_str()).collect();
    let is_apart = |part: &&&str| matches!(**part, "tests" | "tests.rs" | "model.rs" | "bin");
    let first = parts.first()?.trim_end_matches(".rs");
    let is_left_out = first == "lib" || parts.iter().any(|part| is_apart(&part));
    (!is_left_out).then(|| first.to_owned())
}

/// Inline tests are the end of a file.
fn without_tests(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules that the text names, through `crate::` or the name of another crate.
fn imports(library: &str, text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for krate in CRATES.map(|name| name.replace('-', "_")) {
        let prefix = if krate == library { "crate::" } else { &format!("{krate}::") };
        for rest in text.split(prefix).skip(1) {
            let names = match rest.strip_prefix('{') {
                Some(group) => group.split('}').next().unwrap_or("").split(',').collect(),
                None => vec![rest],
            };
            found.extend(
                names.into_iter().filter_map(first_name).map(|name| format!("{krate}::{name}")),
            );
        }
    }
    found
}

fn first_name(path: &str) -> Option<&str> {
    let path = path.trim_start();
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
    (end > 0).then(|| &path[..end])
}

/// Each circle once, as the walk that closes it.
fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let mut done = BTreeSet::new();
    let mut found = Vec::new();
    for start in graph.keys() {
        walk(graph, start, &mut Vec::new(), &mut done, &mut found);
    }
    found
}

fn walk(
    graph: &Graph,
    module: &str,
    path: &mut Vec<String>,
    done: &mut BTreeSet<String>,
    found: &mut Vec<Vec<String>>,
) {
    if let Some(at) = path.iter().position(|step| step == module) {
        let mut circle = path[at..].to_vec();
        circle.push(module.to_owned());
        found.push(circle);
        return;
    }
    if done.contains(module) {
        return;
    }
    path.push(module.to_owned());
    for next in graph.get(module).into_iter().flatten() {
        walk(graph, next, path, done, found);
    }
    path.pop();
    done.insert(module.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph_of(edges: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            graph.entry((*to).to_owned()).or_default();
        }
        graph
    }

    #[test]
    fn a_circle_is_found_and_a_diamond_is_none() {
        let circle = graph_of(&[("a", "b"), ("b", "c"), ("c", "a")]);
        assert_eq!(circles(&circle), [["a", "b", "c", "a"]]);
        let diamond = graph_of(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]);
        assert!(circles(&diamond).is_empty());
    }

    #[test]
    fn imports_are_read_one_by_one_and_in_groups() {
        let text =
            "use crate::log::Line;\nuse crate::{clock::Clock, id};\nuse obs_core::trace::Tracer;";
        let found = imports("obs_emf", text);
        let names: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(names, ["obs_core::trace", "obs_emf::clock", "obs_emf::id", "obs_emf::log"]);
    }

    #[test]
    fn tests_and_comments_do_not_import() {
        let text = "// crate::a::b\n#[cfg(test)]\nmod tests {\nuse crate::c::d;\n}";
        assert!(imports("obs_core", &without_tests(text)).is_empty());
    }
}
