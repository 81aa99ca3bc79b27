//! Documents are true: their links lead somewhere, nothing names a package that is not ours, and
//! what is switched on is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::command::Outcome;
use crate::workspace::{features, members, root, tracked};

pub(super) fn check() -> Outcome<Vec<String>> {
    let mut findings = Vec::new();
    let features = features()?;
    for document in tracked(".md")? {
        let text = fs::read_to_string(root().join(&document))?;
        findings.extend(dead_links(&document, &text));
        findings.extend(foreign_packages(&document, &text));
        findings.extend(unknown_features(&document, &text, &features));
    }
    for member in members()?.into_iter().filter(|member| member.is_published) {
        let folder = member.manifest.with_file_name("");
        let page = fs::read_to_string(folder.join("README.md"))?
            + &fs::read_to_string(folder.join("src/lib.rs"))?;
        let features = features.get(&member.name).into_iter().flatten();
        let told = features.filter(|feature| !UNTOLD.contains(&feature.as_str()));
        let untold = told.filter(|feature| !page.contains(&format!("`{feature}`")));
        findings
            .extend(untold.map(|feature| format!("{}: no page tells of {feature}", member.name)));
        let rust = concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or later");
        if !page.contains(rust) {
            findings.push(format!("{}: no page says `{rust}`", member.name));
        }
    }
    Ok(findings)
}

/// Features that are nobody's to choose.
const UNTOLD: [&str; 3] = ["compiler-texts", "default", "real-parts"];

/// Relative links whose target is not in the tree.
fn dead_links(document: &Path, text: &str) -> Vec<String> {
    let folder = root().join(document.parent().unwrap_or(Path::new("")));
    let is_dead = |target: &&str| !folder.join(target).exists();
    let dead = link_targets(text).into_iter().filter(is_dead);
    dead.map(|target| format!("{}: the link to {target} leads nowhere", document.display()))
        .collect()
}

/// The targets of inline links, without their fragment; links to other hosts are left out.
fn link_targets(text: &str) -> Vec<&str> {
    let mut in_fence = false;
    let mut targets = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        }
        if in_fence {
            continue;
        }
        let links = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let paths = links.filter_map(|link| link.split('#').next());
        targets.extend(paths.filter(|path| {
            !path.is_empty()
                && !path.contains("://")
                && !path.contains("::")
                && path.contains(['/', '.'])
        }));
    }
    targets
}

/// On the registry the plain names belong to somebody else.
fn foreign_packages(document: &Path, text: &str) -> Vec<String> {
    let names = ["core", "tower", "emf", "health", "ratelimit"];
    let commands = names.map(|name| format!("cargo add obs-{name}"));
    let found = commands.iter().filter(|command| text.contains(command.as_str()));
    found
        .map(|command| format!("{}: `{command}` adds a foreign package", document.display()))
        .collect()
}

/// Dependencies on our packages that ask for what they do not have.
fn unknown_features(
    document: &Path,
    text: &str,
    known: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let mut findings = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("obs-aws-")) {
        let Some((package, rest)) = line.split_once(" = ") else { continue };
        let Some(features) = known.get(package) else {
            findings.push(format!("{}: there is no {package}", document.display()));
            continue;
        };
        let listed = rest.split_once("features = [").and_then(|(_, rest)| rest.split_once(']'));
        let listed = listed.map_or("", |(listed, _)| listed).split(',');
        let names =
            listed.map(|name| name.trim().trim_matches('"')).filter(|name| !name.is_empty());
        let unknown = names.filter(|name| !features.contains(*name));
        findings.extend(
            unknown.map(|name| format!("{}: {package} has no feature {name}", document.display())),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_outside_fences_are_read_without_their_fragment() {
        let text =
            "see [a](docs/a.md#x) and [b](https://example.com)\n```\n[c](c.md)\n```\n[d](#e)";
        assert_eq!(link_targets(text), ["docs/a.md"]);
    }

    #[test]
    fn a_feature_that_a_package_does_not_have_is_found() {
        let known = BTreeMap::from([("obs-aws-x".to_owned(), BTreeSet::from(["axum".to_owned()]))]);
        let text = "obs-aws-x = { version = \"0.1\", features = [\"axum\", \"redis\"] }\nobs-aws-y = \"0.1\"";
        let findings = unknown_features(Path::new("a.md"), text, &known);
        assert_eq!(
            findings,
            ["a.md: obs-aws-x has no feature redis", "a.md: there is no obs-aws-y"]
        );
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        let findings = dead_links(Path::new("README.md"), "[x](no/such.md)");
        assert_eq!(findings, ["README.md: the link to no/such.md leads nowhere"]);
    }

    #[test]
    fn adding_a_foreign_package_is_found() {
        assert_eq!(foreign_packages(Path::new("a.md"), "cargo add obs-core").len(), 1);
        assert_eq!(foreign_packages(Path::new("a.md"), "cargo add obs-aws-core").len(), 0);
    }
}
