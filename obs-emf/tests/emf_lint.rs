//! The command, as a shell runs it.

#![allow(clippy::unwrap_used, reason = "test helpers: what cannot be set up fails the test")]

use std::io::Write;
use std::process::{Command, Stdio};

fn run(arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_emf-lint"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

const GOOD: &str = concat!(
    r#"{"_aws":{"Timestamp":1767225600000,"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":"#,
    r#"[["Service"]],"Metrics":[{"Name":"Latency"}]}]},"Service":"orders","Latency":12}"#,
    "\n"
);

#[test]
fn good_lines_are_summed_up() {
    let input = format!("{GOOD}{{\"message\":\"hello\"}}\nplain text\n{GOOD}");
    let (code, text) = run(&[], &input);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("3 lines, "), "{text}");
    assert!(text.contains("2 with metrics, 0 rejected; 1 series, 2 data points"), "{text}");
}

#[test]
fn a_rejected_line_is_named_with_its_rule() {
    let input = format!("{GOOD}{}", GOOD.replace("12", "\"12\""));
    let (code, text) = run(&["--transport", "udp"], &input);
    assert_eq!(code, Some(1));
    assert!(text.contains("line 2: E13, "), "{text}");
}

#[test]
fn an_old_line_is_rejected_only_when_asked() {
    let old = GOOD.replace("1767225600000", "1000");
    assert_eq!(run(&[], &old).0, Some(0));
    assert_eq!(run(&["--now"], &old).0, Some(1));
}

#[test]
fn a_wrong_argument_is_explained() {
    let (code, text) = run(&["--transport", "pigeon"], "");
    assert_eq!(code, Some(2));
    assert!(text.contains("container|udp|agent|api"), "{text}");
}
