//! Every public item has an example: modules, types, traits and functions one of their own, methods
//! one on the page of their type. And what can fail says with what.

use std::collections::HashSet;

use serde_json::Value;

use super::rustdoc::document;
use crate::command::{Failure, Outcome};
use crate::workspace::members;

pub(super) fn check() -> Outcome {
    let mut missing = 0;
    for member in members()?.into_iter().filter(|member| member.is_published) {
        let items = items(&document(&member.name, "--all-features")?);
        let shown = items.iter().filter(|item| item.is_shown).count();
        eprintln!(
            "xtask: {}: {shown} of {} public items have an example",
            member.name,
            items.len()
        );
        for item in items.iter().filter(|item| !item.is_shown) {
            eprintln!("examples: {} has none", item.path);
            missing += 1;
        }
        for item in items.iter().filter(|item| item.hides_errors) {
            eprintln!("examples: {} can fail and has no section `# Errors`", item.path);
            missing += 1;
        }
    }
    match missing {
        0 => Ok(()),
        count => Err(Failure::new(format!("{count} examples or sections are missing"))),
    }
}

/// A public item that can be shown at work.
#[derive(Debug, PartialEq, Eq)]
struct Item {
    path: String,
    is_shown: bool,
    hides_errors: bool,
}

fn items(document: &Value) -> Vec<Item> {
    let mut walk = Walk { document, seen: HashSet::new(), items: Vec::new() };
    walk.module(&document["root"].to_string(), "");
    walk.items
}

struct Walk<'a> {
    document: &'a Value,
    seen: HashSet<String>,
    items: Vec<Item>,
}

impl<'a> Walk<'a> {
    fn get(&self, id: &str) -> Option<(&'a Value, &'a str, &'a Value)> {
        let item = self.document["index"].get(id)?;
        let (kind, inner) = item["inner"].as_object()?.iter().next()?;
        Some((item, kind, inner))
    }

    fn module(&mut self, id: &str, parent: &str) {
        let Some((item, kind, inner)) = self.get(id) else { return };
        if item["visibility"] != "public" || item["crate_id"] != 0 || !self.seen.insert(id.into()) {
            return;
        }
        let path = format!("{parent}::{}", item["name"].as_str().unwrap_or_default());
        match kind {
            "module" => {
                ids(&inner["items"]).for_each(|id| self.module(&id, &path));
                let is_shown = !examples(item).is_empty();
                self.items.push(Item { path, is_shown, hides_errors: false });
            }
            "use" => self.module(&inner["id"].to_string(), parent),
            "struct" | "enum" | "union" | "trait" => self.page(item, inner, path),
            "function" | "macro" => {
                let is_shown = !examples(item).is_empty();
                self.items.push(Item { path, is_shown, hides_errors: hides_errors(item) });
            }
            _ => {}
        }
    }

    /// A type or trait with its methods, which stand on one page.
    fn page(&mut self, item: &Value, inner: &'a Value, path: String) {
        let of_impls =
            ids(&inner["impls"]).filter_map(|id| self.get(&id)).flat_map(|(_, _, inner)| {
                let is_inherent = inner["trait"].is_null();
                ids(&inner["items"]).filter(move |_| is_inherent)
            });
        let of_trait = ids(&inner["items"]);
        let methods: Vec<&Value> = of_impls
            .chain(of_trait)
            .filter_map(|id| self.get(&id))
            .filter(|(method, kind, _)| {
                *kind == "function"
                    && ["public", "default"].iter().any(|v| method["visibility"] == *v)
            })
            .map(|(method, ..)| method)
            .collect();
        let own = examples(item);
        let page: String =
            methods.iter().map(|method| examples(method)).fold(own.clone(), |a, b| a + &b);
        for method in methods {
            let name = method["name"].as_str().unwrap_or_default();
            let is_shown = !examples(method).is_empty() || names(&page, name);
            let (path, hides_errors) = (format!("{path}::{name}"), hides_errors(method));
            self.items.push(Item { path, is_shown, hides_errors });
        }
        self.items.push(Item { path, is_shown: !own.is_empty(), hides_errors: false });
    }
}

fn ids(list: &Value) -> impl Iterator<Item = String> + use<'_> {
    list.as_array().into_iter().flatten().map(Value::to_string)
}

/// Whether a function gives a `Result` and does not say what an error means.
fn hides_errors(item: &Value) -> bool {
    let output = &item["inner"]["function"]["sig"]["output"]["resolved_path"]["path"];
    let can_fail = output.as_str().is_some_and(|path| path.ends_with("Result"));
    can_fail && !item["docs"].as_str().unwrap_or_default().contains("# Errors")
}

/// The Rust code in the documentation of an item.
fn examples(item: &Value) -> String {
    let mut code = String::new();
    let mut fence = None;
    for line in item["docs"].as_str().unwrap_or_default().lines() {
        match (line.trim().strip_prefix("```"), fence) {
            (Some(language), None) => fence = Some(is_rust(language)),
            (Some(_), Some(_)) => fence = None,
            (None, Some(true)) => code = code + line + "\n",
            (None, _) => {}
        }
    }
    code
}

fn is_rust(language: &str) -> bool {
    let known = ["", "rust", "no_run", "should_panic", "compile_fail"];
    language.split(',').all(|word| known.contains(&word.trim()) || word.starts_with("E0"))
}

/// Whether the code calls `name`, as a method or by its path, or implements it.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = &code[..at];
        let is_used = before.ends_with('.') || before.ends_with("::") || before.ends_with("fn ");
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        is_used && !code[at + name.len()..].starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(docs_of_type: &str) -> Value {
        let function = json!({ "function": {} });
        json!({
            "root": 0,
            "index": {
                "0": { "name": "ours", "crate_id": 0, "visibility": "public", "inner": { "module": { "items": [1] } } },
                "1": {
                    "name": "Limit", "crate_id": 0, "visibility": "public", "docs": docs_of_type,
                    "inner": { "struct": { "impls": [2] } },
                },
                "2": { "name": null, "crate_id": 0, "visibility": "default", "inner": { "impl": { "trait": null, "items": [3] } } },
                "3": { "name": "new", "crate_id": 0, "visibility": "public", "inner": function },
            },
        })
    }

    #[test]
    fn a_method_is_shown_by_the_example_of_its_type() {
        let items = items(&document("A limit.\n\n```\nLimit::new();\n```"));
        let shown: Vec<_> =
            items.iter().filter(|item| item.is_shown).map(|item| &item.path).collect();
        assert_eq!(shown, ["::ours::Limit::new", "::ours::Limit"]);
        assert_eq!(items.len(), 3);
    }

    #[test]
    fn a_method_that_no_example_names_is_found() {
        let items = items(&document("A limit.\n\n```\nLimit::new_with(3);\n```"));
        assert_eq!((items[0].path.as_str(), items[0].is_shown), ("::ours::Limit::new", false));
    }

    #[test]
    fn a_result_without_a_word_about_errors_is_found() {
        let function = |docs: &str| {
            let output = json!({ "resolved_path": { "path": "io::Result" } });
            json!({ "docs": docs, "inner": { "function": { "sig": { "output": output } } } })
        };
        assert!(hides_errors(&function("Opens a file.")));
        assert!(!hides_errors(&function("Opens a file.\n\n# Errors\nThose of the system.")));
    }

    #[test]
    fn text_and_output_are_no_examples() {
        assert_eq!(
            examples(&json!({ "docs": "```text\nLimit::new()\n```\n```json\n{}\n```" })),
            ""
        );
    }
}
