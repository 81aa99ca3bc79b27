//! Where things are, and what the workspace is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::{Failure, Outcome, capture, cargo};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lives in the workspace's root")
}

/// What cargo says of the workspace and its members.
pub(crate) fn metadata() -> Outcome<Value> {
    let metadata = capture(&mut cargo(&["metadata", "--no-deps", "--format-version=1"]))?;
    serde_json::from_str(&metadata)
        .map_err(|error| Failure::new(format!("cargo metadata: {error}")))
}

/// A member of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    pub(crate) is_published: bool,
}

/// The members of the workspace, by name.
pub(crate) fn members() -> Outcome<Vec<Member>> {
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let mut members: Vec<Member> = packages.iter().filter_map(member).collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(members)
}

fn member(package: &Value) -> Option<Member> {
    Some(Member {
        name: package["name"].as_str()?.to_owned(),
        manifest: PathBuf::from(package["manifest_path"].as_str()?),
        is_published: package["publish"].is_null(),
    })
}

/// The features of each published member.
pub(crate) fn features() -> Outcome<BTreeMap<String, BTreeSet<String>>> {
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let published = packages.filter(|package| package["publish"].is_null());
    let of = |package: &Value| {
        let names = package["features"].as_object()?.keys().cloned().collect();
        Some((package["name"].as_str()?.to_owned(), names))
    };
    Ok(published.filter_map(of).collect())
}

/// The files that git tracks and whose name ends in `extension`, relative to the root.
pub(crate) fn tracked(extension: &str) -> Outcome<Vec<PathBuf>> {
    let mut git = std::process::Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    let files = capture(&mut git)?;
    Ok(files.lines().filter(|file| file.ends_with(extension)).map(PathBuf::from).collect())
}
