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
        let source = super::read(&mistake.to_string_lossy())?;
        for part in [head(&said)].into_iter().chain(marked(&source)) {
            // How far lines are indented depends on line numbers in other files.
            if !flush(&said).contains(&flush(&part)) || !flush(guide.text()).contains(&flush(&part))
            {
                wrong.push(format!("{name} and {} differ about:\n{part}\n{said}", guide.path));
            }
        }
    }
    match wrong.len() {
        0 => Ok(()),
        _ => Err(Failure::new(wrong.join("\n"))),
    }
}

/// The text without the indentation of its lines.
fn flush(text: &str) -> String {
    text.lines().map(str::trim_start).collect::<Vec<_>>().join("\n")
}

/// The first error, as far as it is about the user's own code.
fn head(said: &str) -> String {
    let is_elsewhere = |line: &str| {
        let line = line.trim_start();
        line.is_empty() || ["help:", "note:", ":::", "="].iter().any(|sign| line.starts_with(sign))
    };
    let lines = said.lines().skip_while(|line| !line.starts_with("error"));
    let lines: Vec<_> = lines.take_while(|line| !is_elsewhere(line)).collect();
    lines.join("\n").trim_end_matches([' ', '|', '\n']).to_owned()
}

/// What else the message must say: the lines of the file that begin with `//~`.
fn marked(source: &str) -> impl Iterator<Item = String> {
    source.lines().filter_map(|line| line.strip_prefix("//~ ")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_ends_where_the_compiler_speaks_of_other_files() {
        let said = "warning: a\n\nerror[E0277]: no\n --> src/bin/a.rs:3:1\n  |\nnote: required by b\n  --> x";
        assert_eq!(head(said), "error[E0277]: no\n --> src/bin/a.rs:3:1");
    }

    #[test]
    fn a_file_names_what_else_is_said() {
        assert_eq!(marked("//! x\n//~ gated behind\n").collect::<Vec<_>>(), ["gated behind"]);
    }
}
