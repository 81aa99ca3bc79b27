//! What callgrind writes ([format](https://valgrind.org/docs/manual/cl-format.html)), as far as it
//! is needed: the cost of each function, and who was called how often.

use std::collections::{BTreeMap, HashMap};

/// What one run of a program cost.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    /// Instructions by function, those of the functions it calls not included.
    pub(crate) functions: BTreeMap<String, u64>,
    /// Calls of the allocator.
    pub(crate) allocations: u64,
}

impl Profile {
    pub(crate) fn parse(text: &str) -> Self {
        let mut profile = Self::default();
        let mut names = HashMap::new();
        let mut current = String::new();
        let mut callee = String::new();
        let mut is_call = false;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn=") {
                current = resolve(&mut names, name);
            } else if let Some(name) = line.strip_prefix("cfn=") {
                callee = resolve(&mut names, name);
            } else if let Some(call) = line.strip_prefix("calls=") {
                is_call = true;
                let count = call.split(' ').next().and_then(|count| count.parse().ok());
                if matches!(callee.as_str(), "malloc" | "calloc" | "realloc") {
                    profile.allocations += count.unwrap_or(0);
                }
            } else if line
                .starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
            {
                // The line behind a call tells what it cost with all that it called.
                if !std::mem::take(&mut is_call) {
                    let cost = line.split(' ').nth(1).and_then(|cost| cost.parse().ok());
                    let own = profile.functions.entry(current.clone()).or_default();
                    *own += cost.unwrap_or(0);
                }
            }
        }
        profile
    }

    pub(crate) fn instructions(&self) -> u64 {
        self.functions.values().sum()
    }
}

/// The name behind `(number) name`, which is written once, or behind `(number)` alone.
fn resolve(names: &mut HashMap<String, String>, text: &str) -> String {
    let (number, name) = text.split_once(' ').unwrap_or((text, ""));
    if !name.is_empty() {
        names.insert(number.to_owned(), plain(name).to_owned());
    }
    names.get(number).cloned().unwrap_or_else(|| plain(text).to_owned())
}

/// The name without the mark of a recursion, and without the compiler's hash.
fn plain(name: &str) -> &str {
    let name = match name.rsplit_once('\'') {
        Some((before, depth)) if depth.bytes().all(|byte| byte.is_ascii_digit()) => before,
        _ => name,
    };
    match name.rsplit_once("::h") {
        Some((before, hash))
            if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            before
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
events: Ir
fl=(1) one.rs
fn=(1) one::run::h0123456789abcdef
10 5
+2 7
cfn=(2) malloc
calls=3 0
11 300
cfn=(3) one::encode
calls=1 20
12 40

fn=(2)
0 290
fn=(3)
* 40
";

    #[test]
    fn a_function_costs_its_own_lines_and_not_its_calls() {
        let profile = Profile::parse(TEXT);
        assert_eq!(profile.functions["one::run"], 12);
        assert_eq!(profile.functions["malloc"], 290);
        assert_eq!(profile.functions["one::encode"], 40);
        assert_eq!(profile.instructions(), 342);
        assert_eq!(profile.allocations, 3);
    }
}
