//! What a plain build must not compile.

use crate::command::{Outcome, capture, cargo};

struct Rule {
    package: &'static str,
    forbidden: &'static [&'static str],
}

const HEAVY: &[&str] = &["aws-", "axum", "opentelemetry-otlp", "tonic", "reqwest"];

const RULES: &[Rule] = &[
    Rule { package: "obs-aws-core", forbidden: HEAVY },
    Rule { package: "obs-aws-emf", forbidden: HEAVY },
    Rule { package: "obs-aws-health", forbidden: HEAVY },
    Rule { package: "obs-aws-ratelimit", forbidden: HEAVY },
    Rule { package: "obs-aws-tower", forbidden: HEAVY },
    Rule { package: "shop", forbidden: &["aws-"] },
];

pub(super) fn check() -> Outcome<Vec<String>> {
    let mut findings = Vec::new();
    for rule in RULES {
        let tree = [
            "tree",
            "--package",
            rule.package,
            "--edges=normal,build",
            "--prefix=none",
            "--format={p}",
        ];
        let tree = capture(&mut cargo(&tree))?;
        findings.extend(judge(rule, &tree));
    }
    Ok(findings)
}

fn judge(rule: &Rule, tree: &str) -> Vec<String> {
    let mut packages: Vec<&str> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    packages.sort_unstable();
    packages.dedup();
    let is_forbidden = |name: &&str| rule.forbidden.iter().any(|prefix| name.starts_with(prefix));
    let found = packages.into_iter().filter(is_forbidden);
    found.map(|name| format!("{}: a plain build compiles {name}", rule.package)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_package_is_found_once() {
        let rule = Rule { package: "shop", forbidden: &["aws-"] };
        let tree = "shop v0.1.0\naws-config v1.0.0\nhttp v1.0.0\naws-config v1.0.0 (*)\n";
        assert_eq!(judge(&rule, tree), ["shop: a plain build compiles aws-config"]);
    }
}
