//! Manifests say things once: versions and lints come from the workspace.

use std::fs;

use crate::command::Outcome;
use crate::workspace::{Member, members};

pub(super) fn check() -> Outcome<Vec<String>> {
    let mut findings = Vec::new();
    for member in members()? {
        let manifest = fs::read_to_string(&member.manifest)?;
        findings.extend(judge(&member, &manifest));
    }
    Ok(findings)
}

fn judge(member: &Member, manifest: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let mut section = "";
    let mut inherits_lints = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]") && names_a_version(line) {
            findings.push(format!("{}: `{line}` belongs in the workspace's table", member.name));
        } else if section == "[lints]" && line == "workspace = true" {
            inherits_lints = true;
        }
    }
    if !inherits_lints {
        findings.push(format!("{}: does not inherit the workspace's lints", member.name));
    }
    if member.is_published && !member.name.starts_with("obs-aws-") {
        findings.push(format!("{}: only obs-aws-* packages may be published", member.name));
    }
    findings
}

fn names_a_version(line: &str) -> bool {
    let is_dependency = line.contains('=') && !line.starts_with('#');
    is_dependency && !line.contains("workspace = true") && !line.contains("path = ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(manifest: &str) -> Vec<String> {
        let member = Member { name: "obs-aws-x".into(), manifest: "".into(), is_published: true };
        judge(&member, manifest)
    }

    #[test]
    fn a_manifest_that_inherits_everything_passes() {
        let manifest = "[dependencies]\nhttp.workspace = true\n[lints]\nworkspace = true\n";
        assert_eq!(judged(manifest), Vec::<String>::new());
    }

    #[test]
    fn a_version_in_a_member_is_found() {
        let manifest = "[dev-dependencies]\nhttp = \"1\"\n[lints]\nworkspace = true\n";
        assert_eq!(
            judged(manifest),
            ["obs-aws-x: `http = \"1\"` belongs in the workspace's table"]
        );
    }

    #[test]
    fn missing_lints_are_found() {
        assert_eq!(judged("[package]\n"), ["obs-aws-x: does not inherit the workspace's lints"]);
    }
}
