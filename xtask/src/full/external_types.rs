//! Public signatures name the types of few other crates, so that a major version of one of the rest
//! is no major version of ours.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::rustdoc::{document, library};
use crate::command::{Failure, Outcome};
use crate::workspace::members;

/// Whose types any public signature may name.
const ALWAYS: &[&str] = &[
    "alloc",
    "bytes",
    "core",
    // `Stream`, for contexts that follow streams.
    "futures_core",
    "http",
    "http_body",
    // The macro names a type of its own in bounds of `Unpin` that nobody writes.
    "pin_project_lite",
    // The snapshot of a control is a JSON value.
    "serde_json",
    "std",
    "tower_layer",
    "tower_service",
    "tracing",
    "tracing_core",
    // The layer that makes lines of events implements its trait.
    "tracing_subscriber",
];

/// Whose types a feature may bring, and the reason where the name does not tell it.
const WITH_FEATURES: &[&str] = &[
    "aws_sdk_cloudwatch",
    "aws_sdk_dynamodb",
    "aws_smithy_runtime_api",
    "aws_smithy_types",
    "axum",
    "axum_core",
    "lambda_runtime",
    "metrics",
    "opentelemetry",
    "opentelemetry_sdk",
    "redis",
    "serde",
    "serde_core",
    // `sqlx` re-exports the types of its core.
    "sqlx",
    "sqlx_core",
    "tokio",
    "tower",
];

pub(super) fn check() -> Outcome {
    let mut findings = Vec::new();
    let published = members()?.into_iter().filter(|member| member.is_published);
    let names: Vec<String> = published.map(|member| member.name).collect();
    let ours: Vec<String> = names.iter().map(|name| library(name)).collect();
    for name in &names {
        for (features, allowed) in
            [("--no-default-features", &[][..]), ("--all-features", WITH_FEATURES)]
        {
            for (krate, items) in foreign(&document(name, features)?) {
                let is_allowed = ALWAYS.contains(&krate.as_str())
                    || allowed.contains(&krate.as_str())
                    || ours.contains(&krate);
                if !is_allowed {
                    let item = items.iter().next().map_or("", String::as_str);
                    findings.push(format!("{name} {features}: `{item}` shows a type of {krate}"));
                }
            }
        }
    }
    for finding in &findings {
        eprintln!("external types: {finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => Err(Failure::new(format!("{count} public items show types of other crates"))),
    }
}

/// The other crates whose types public items name, each with the paths of those items.
fn foreign(document: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut walk = Walk { document, seen: BTreeSet::new(), found: BTreeMap::new() };
    walk.item(&document["root"].to_string(), "");
    walk.found
}

struct Walk<'a> {
    document: &'a Value,
    seen: BTreeSet<String>,
    found: BTreeMap<String, BTreeSet<String>>,
}

impl Walk<'_> {
    fn item(&mut self, id: &str, parent: &str) {
        let document = self.document;
        let Some(item) = document["index"].get(id) else { return };
        let is_public = item["visibility"] == "public" || item["visibility"] == "default";
        if !is_public || !self.seen.insert(id.to_owned()) {
            return;
        }
        let name = item["name"].as_str().unwrap_or("impl");
        let path = format!("{parent}::{name}");
        let Some((kind, inner)) = item["inner"].as_object().and_then(|inner| inner.iter().next())
        else {
            return;
        };
        // Implementations for every type, and those the compiler makes, are nobody's choice.
        let is_chosen = inner["is_synthetic"] != true && inner["blanket_impl"].is_null();
        if kind != "impl" || is_chosen {
            self.members(kind, inner, &path);
        }
    }

    fn members(&mut self, kind: &str, inner: &Value, path: &str) {
        match kind {
            "module" | "trait" | "impl" => self.children(&inner["items"], path),
            "struct" | "enum" | "union" => {
                self.children(&inner["impls"], path);
                self.children(&inner["variants"], path);
                self.children(&inner["fields"], path);
                self.children(&inner["kind"], path);
            }
            "variant" => self.children(&inner["kind"], path),
            "use" => self.item(&inner["id"].to_string(), path),
            _ => {}
        }
        if kind != "module" {
            self.types(inner, path);
        }
    }

    /// Every id in a list, or in the lists of a struct's or a variant's kind.
    fn children(&mut self, value: &Value, path: &str) {
        match value {
            Value::Number(id) => self.item(&id.to_string(), path),
            Value::Array(values) => values.iter().for_each(|value| self.children(value, path)),
            Value::Object(fields) => fields.values().for_each(|value| self.children(value, path)),
            _ => {}
        }
    }

    /// Every type that is named in a signature.
    fn types(&mut self, value: &Value, path: &str) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.types(value, path)),
            Value::Object(fields) => {
                if let Some(id) = fields.get("id").filter(|_| fields.contains_key("path")) {
                    self.named(&id.to_string(), path);
                }
                fields.values().for_each(|value| self.types(value, path));
            }
            _ => {}
        }
    }

    fn named(&mut self, id: &str, path: &str) {
        let krate = &self.document["paths"][id]["crate_id"];
        let name = self.document["external_crates"][krate.to_string()]["name"].as_str();
        if let Some(name) = name {
            self.found.entry(name.to_owned()).or_default().insert(path.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(visibility: &str) -> Value {
        let argument = json!({ "resolved_path": { "path": "Map", "id": 7, "args": null } });
        json!({
            "root": 0,
            "index": {
                "0": { "name": "ours", "visibility": "public", "inner": { "module": { "items": [1] } } },
                "1": {
                    "name": "parse",
                    "visibility": visibility,
                    "inner": { "function": { "sig": { "inputs": [["map", argument]] } } },
                },
            },
            "paths": { "7": { "crate_id": 3, "path": ["theirs", "Map"] } },
            "external_crates": { "3": { "name": "theirs" } },
        })
    }

    #[test]
    fn a_foreign_type_in_a_public_signature_is_found() {
        let found = foreign(&document("public"));
        assert_eq!(found["theirs"], BTreeSet::from(["::ours::parse".to_owned()]));
    }

    #[test]
    fn what_is_not_public_may_use_anything() {
        assert!(foreign(&document("crate")).is_empty());
    }
}
