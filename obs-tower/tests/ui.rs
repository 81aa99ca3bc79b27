//! What the compiler says of a missing bound, or of layers in the wrong order, beside each mistake.
//!
//! The texts are those of the compiler that the project is built with. `TRYBUILD=overwrite` writes
//! them anew, to be read before they are taken over.
#![allow(clippy::unwrap_used, reason = "they are tests")]

use std::fs;
use std::path::{Path, PathBuf};

fn mistakes() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "rs")).collect()
}

#[test]
fn every_mistake_is_refused_as_written_down() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}

#[test]
fn the_error_is_short_and_names_what_is_missing_first() {
    for mistake in mistakes() {
        let said = fs::read_to_string(mistake.with_extension("stderr")).unwrap();
        let name = mistake.display();
        assert_eq!(said.matches("\nerror").count(), 0, "one error: {name}");
        assert!(said.lines().count() <= 40, "{name}");
        let first = said.lines().next().unwrap();
        assert!(first.starts_with("error[E"), "{name}");
    }
}
