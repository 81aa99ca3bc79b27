//! Every rule that a limit must keep has a test with its number: `rl_1_…` to `rl_46_…`.
//!
//! | rules | about |
//! |---|---|
//! | 1-12 | the algorithms and the table of one process: bounds, rounding, overflow, time, threads, memory |
//! | 13-17 | several policies, what counts, cancelled requests |
//! | 18-24 | what a caller is told |
//! | 25-39 | a fleet: strict, leased, windows, outages, lost answers, other quotas, failover, names |
//! | 40-46 | hostile callers |

use std::collections::BTreeSet;
use std::path::Path;

/// The rules in the names of the tests of a file: `rl_20_21_a_name` is of rules 20 and 21.
fn rules_of(source: &str) -> impl Iterator<Item = u32> + '_ {
    source.match_indices("rl_").flat_map(|(at, _)| {
        source[at + 3..].split('_').map_while(|part| part.parse::<u32>().ok()).collect::<Vec<_>>()
    })
}

fn collect(folder: &Path, rules: &mut BTreeSet<u32>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, rules);
        } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests/rules.rs")
        {
            rules.extend(rules_of(&std::fs::read_to_string(&path).unwrap_or_default()));
        }
    }
}

#[test]
fn every_rule_has_a_test_that_bears_its_number() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut rules = BTreeSet::new();
    collect(&root.join("src"), &mut rules);
    collect(&root.join("tests"), &mut rules);
    let missing: Vec<u32> = (1..=46).filter(|rule| !rules.contains(rule)).collect();
    assert!(missing.is_empty(), "rules without a test: {missing:?}");
}
