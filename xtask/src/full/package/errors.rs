//! What the compiler says of a beginner's mistakes is what the guide says that it says.

use std::fs;

use super::page;
use super::project::Project;
use crate::command::{Failure, Outcome};
use crate::workspace::tracked;

/// Tries each file of `docs/compile_errors/` in the project, and looks for the message in the guide.
pub(super) fn compare(project: &Project) -> Outcome {
    let guide = page::read("docs/guides/compile-errors.md")?;
    let folder = project.folder.join("src/bin");
    fs::create_dir_all(&folder)?;
    let mut wrong = Vec::new();
    for mistake in
        tracked(".rs")?.into_iter().filter(|file| file.starts_with("docs/compile_errors"))
    {
        let name = mistake.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        fs::write(folder.join(format!("{name}.rs")), super::read(&mistake.to_string_lossy())?)?;
        let mut check = project.cargo("check", &["--quiet", "--bin", &name]);
        eprintln!("xtask: check of {}", mistake.display());
        let output = check.env("TERM", "dumb").output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            wrong.push(format!("{} compiles", mistake.display()));
        }
        let message = first(&said);
        if !guide.shows(&message) {
            wrong.push(format!("{} does not show what {name} prints:\n{message}", guide.path));
        }
    }
    match wrong.len() {
        0 => Ok(()),
        _ => Err(Failure::new(wrong.join("\n"))),
    }
}

/// The first error as far as it speaks of the user's own line: without paths, which differ.
fn first(said: &str) -> String {
    let lines = said.lines().skip_while(|line| !line.starts_with("error"));
    let lines = lines.take_while(|line| !line.is_empty());
    let lines = lines.take_while(|line| !line.starts_with("note: required"));
    let own = lines.take_while(|line| !line.starts_with("note: the full name"));
    let kept = own.filter(|line| !line.trim_start().starts_with("::: "));
    kept.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_ends_where_the_compiler_speaks_of_other_files() {
        let said = "warning: a\n\nerror[E0277]: no\n --> src/bin/a.rs:3:1\n  |\nnote: required by b\n  --> x";
        assert_eq!(first(said), "error[E0277]: no\n --> src/bin/a.rs:3:1\n  |");
    }
}
