//! The pages show the code that is run, and what it prints.

use std::path::PathBuf;
use std::process::Command;

/// The folder of a page, and the example whose code and output it shows.
const PAGES: [(&str, &str); 4] = [
    ("obs-core", "core"),
    ("obs-emf", "emf"),
    ("obs-health", "health"),
    ("obs-ratelimit", "ratelimit"),
];

#[test]
fn each_page_shows_the_code_of_its_example() {
    for (folder, example) in PAGES.into_iter().chain([("obs-tower", "orders"), (".", "orders")]) {
        let page = read(&format!("{folder}/README.md"));
        let source = read(&format!("docs/examples/{example}.rs"));
        let (_title, code) = source.split_once("\n\n").expect("an example has a title");
        assert!(page.contains(code), "{folder}/README.md does not show docs/examples/{example}.rs");
    }
}

#[test]
fn a_service_is_adopted_in_under_thirty_changed_lines() {
    let (before, after) =
        (read("docs/examples/adopt_before.rs"), read("docs/examples/adopt_after.rs"));
    let (_title, code) = after.split_once("\n\n").expect("an example has a title");
    assert!(read("docs/guides/axum.md").contains(code), "the guide does not show the example");

    let (_title, before) = before.split_once("\n\n").expect("an example has a title");
    let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), code.lines().collect());
    let kept = lines_in_common(&before, &after);
    // As a diff counts: what is removed, and what is added, blank lines among it.
    let changed = before.len() - kept + after.len() - kept;
    assert!(changed < 30, "{changed} lines are removed or added");
}

/// The most lines that both have in the same order.
fn lines_in_common(before: &[&str], after: &[&str]) -> usize {
    let mut row = vec![0; after.len() + 1];
    for line in before {
        let mut diagonal = 0;
        for (at, other) in after.iter().enumerate() {
            let here = if line == other { diagonal + 1 } else { row[at].max(row[at + 1]) };
            diagonal = std::mem::replace(&mut row[at + 1], here);
        }
    }
    row[after.len()]
}

#[test]
fn each_page_shows_what_its_example_prints() {
    let pages = PAGES.map(|(folder, example)| (format!("{folder}/README.md"), example));
    for (page, example) in pages.into_iter().chain([("docs/guides/sqs-worker.md".into(), "worker")])
    {
        let page = read(&page);
        let (_before, after) =
            page.split_once("\nprints\n\n```").expect("a page says what it prints");
        let (_language, block) = after.split_once('\n').expect("a block has lines");
        let (shown, _rest) = block.split_once("\n```").expect("a block ends");

        let output = Command::new(program(example)).output().expect("cargo has built it");
        assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).expect("it prints text");
        assert_eq!(masked(printed.trim_end()), masked(shown), "what {example} prints");
    }
}

fn read(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Examples are built beside the folder of the tests.
fn program(example: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its program");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("a test lives in a folder");
    folder.join("examples").join(example)
}

/// The text with `0` for every digit of a time or an id, in which runs differ; their form stays.
/// Lines that are indented go on with the one before.
fn masked(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match lines.last_mut() {
            Some(last) if line.starts_with(' ') => last.push_str(line.trim_start()),
            _ => lines.push(line.to_owned()),
        }
    }
    for line in &mut lines {
        for member in ["timestamp", "correlation_id", "trace_id", "span_id", "xray_trace_id"] {
            *line = blank(line, member);
        }
        for member in ["Timestamp", "duration_ms", "MessageLatency"] {
            *line = blank_number(line, member);
        }
    }
    lines.join("\n")
}

fn blank(line: &str, member: &str) -> String {
    let start = format!("\"{member}\":\"");
    let Some(at) = line.find(&start).map(|at| at + start.len()) else { return line.to_owned() };
    let length = line[at..].find('"').unwrap_or(0);
    let value = &line[at..at + length];
    let blanked = value.chars().map(|c| if c.is_ascii_hexdigit() { '0' } else { c });
    format!("{}{}{}", &line[..at], blanked.collect::<String>(), &line[at + length..])
}

fn blank_number(line: &str, member: &str) -> String {
    let start = format!("\"{member}\":");
    let Some(at) = line.find(&start).map(|at| at + start.len()) else { return line.to_owned() };
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    format!("{}0{}", &line[..at], line[at..].trim_start_matches(is_part))
}
