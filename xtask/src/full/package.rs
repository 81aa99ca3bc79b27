//! What would be uploaded builds, and a stranger's project on it prints what the README shows.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::command::{Failure, Outcome, cargo, run};
use crate::workspace::{Member, members, metadata, root};

pub(super) fn check() -> Outcome {
    // The five crates are the workspace's default members.
    run(&mut cargo(&["package", "--allow-dirty"]))?;
    let crates = unpack()?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let project = write_project(&crates, port)?;
    let manifest = project.join("Cargo.toml").display().to_string();
    let mut build = cargo(&["build", "--quiet", "--manifest-path", &manifest, "--target-dir"]);
    run(build.arg(project.join("target")))?;
    compare(&printed(&project.join("target/debug/orders"), port)?)
}

/// Unpacks what was packaged; the name and the folder of each crate.
fn unpack() -> Outcome<Vec<(String, PathBuf)>> {
    let metadata = metadata()?;
    let target = PathBuf::from(metadata["target_directory"].as_str().unwrap_or("target"));
    let folder = target.join("scratch");
    fs::create_dir_all(&folder)?;
    let mut crates = Vec::new();
    for Member { name, .. } in members()?.into_iter().filter(|member| member.is_published) {
        let stem = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
        let archive = target.join("package").join(format!("{stem}.crate"));
        run(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&folder))?;
        crates.push((name, folder.join(stem)));
    }
    Ok(crates)
}

/// A project as a user would write it, with the README's example as its only file.
fn write_project(crates: &[(String, PathBuf)], port: u16) -> Outcome<PathBuf> {
    let folder = crates[0].1.with_file_name("orders");
    fs::create_dir_all(folder.join("src"))?;
    let mut manifest = String::from(
        "[package]\nname = \"orders\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\naxum = \"0.8\"\n\
         obs-aws-core = \"0.1\"\nobs-aws-tower = { version = \"0.1\", features = [\"axum\"] }\n\
         tokio = { version = \"1\", features = [\"macros\", \"net\", \"rt-multi-thread\", \"signal\"] }\n\
         tracing = \"0.1\"\n\n[patch.crates-io]\n",
    );
    for (name, path) in crates {
        manifest.push_str(&format!("{name} = {{ path = \"{}\" }}\n", path.display()));
    }
    fs::write(folder.join("Cargo.toml"), manifest)?;
    let example = fs::read_to_string(root().join("docs/examples/orders.rs"))?;
    fs::write(folder.join("src/main.rs"), example.replace(":8080", &format!(":{port}")))?;
    Ok(folder)
}

/// Runs the service, asks it once, and returns the lines it wrote.
fn printed(program: &Path, port: u16) -> Outcome<Vec<Value>> {
    let mut service = Command::new(program).stdout(Stdio::piped()).spawn()?;
    let answer = ask(port);
    let lines = answer.and_then(|()| read_two(&mut service));
    service.kill()?;
    service.wait()?;
    lines
}

fn ask(port: u16) -> Outcome {
    let mut stream = (0..100)
        .find_map(|_| {
            let stream = TcpStream::connect(("127.0.0.1", port));
            stream.inspect_err(|_| thread::sleep(Duration::from_millis(50))).ok()
        })
        .ok_or_else(|| Failure::new("the service did not listen within 5 s"))?;
    stream.write_all(
        b"GET /orders/7 HTTP/1.1\r\nhost: localhost\r\nuser-agent: curl/7.88.1\r\nconnection: close\r\n\r\n",
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let is_good = answer.starts_with("HTTP/1.1 200") && answer.contains("x-correlation-id: ");
    if is_good { Ok(()) } else { Err(Failure::new(format!("the service answered {answer}"))) }
}

fn read_two(service: &mut Child) -> Outcome<Vec<Value>> {
    let output = service.stdout.take().ok_or_else(|| Failure::new("the service has no output"))?;
    BufReader::new(output).lines().take(2).map(|line| parse(&line?)).collect()
}

fn parse(json: &str) -> Outcome<Value> {
    serde_json::from_str(json).map_err(|error| Failure::new(format!("{error}: {json}")))
}

/// The lines must have the members that the README shows, and their values where runs agree.
fn compare(printed: &[Value]) -> Outcome {
    let readme = fs::read_to_string(root().join("README.md"))?;
    let blocks = readme.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    let shown = blocks.map(parse).collect::<Outcome<Vec<Value>>>()?;
    let masked = |lines: &[Value]| lines.iter().cloned().map(mask).collect::<Vec<_>>();
    if shown.len() == 2 && masked(printed) == masked(&shown) {
        return Ok(());
    }
    Err(Failure::new(format!("README.md shows {shown:?}\nbut its example printed {printed:?}")))
}

/// The line with what differs from run to run made the same.
fn mask(mut line: Value) -> Value {
    for id in ["timestamp", "correlation_id", "trace_id", "span_id", "xray_trace_id"] {
        blank(&mut line, id);
    }
    for time in ["duration_ms", "ttfb_ms", "Latency"] {
        blank(&mut line, time);
    }
    blank(&mut line["_aws"], "Timestamp");
    line
}

fn blank(object: &mut Value, member: &str) {
    if let Some(value) = object.as_object_mut().and_then(|object| object.get_mut(member)) {
        *value = Value::from(if value.is_number() { "a number" } else { "text" });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_and_ids_may_differ_and_nothing_else() {
        let line = |id: &str, status| json!({ "trace_id": id, "status": status, "_aws": {} });
        assert_eq!(mask(line("a", 200)), mask(line("b", 200)));
        assert_ne!(mask(line("a", 200)), mask(line("a", 500)));
    }

    #[test]
    fn a_number_that_became_text_is_seen() {
        assert_ne!(mask(json!({ "Latency": 1 })), mask(json!({ "Latency": "1" })));
    }
}
