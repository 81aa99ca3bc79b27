//! The commands that the pages of the services show do what they show.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::path::{Path, PathBuf};

use http::{Method, StatusCode};
use shop::name::{Name, Ports};
use support::{Client, LocalShop};

/// A call of curl, as far as the pages use it.
#[derive(Debug)]
struct Curl {
    method: Method,
    service: Name,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// Splits a line as a shell does: at spaces, except between quotes, up to a comment.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for char in line.chars() {
        match (quote, char) {
            (None, '\'' | '"') => quote = Some(char),
            (Some(open), _) if open == char => quote = None,
            // What follows is for the reader.
            (None, '#') if word.is_empty() => break,
            (None, ' ') => words.extend(Some(std::mem::take(&mut word)).filter(|w| !w.is_empty())),
            _ => word.push(char),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

impl Curl {
    fn parse(line: &str) -> Self {
        let mut words = words(line).into_iter();
        let (mut method, mut url, mut headers, mut body) = (None, None, Vec::new(), Vec::new());
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap();
            match word.as_str() {
                "curl" | "-i" | "-s" => {}
                "-X" => method = Some(value().parse().unwrap()),
                "-d" => body.push(value()),
                "-H" => {
                    let header = value();
                    let (name, value) = header.split_once(": ").unwrap();
                    headers.push((name.to_owned(), value.to_owned()));
                }
                "-b" | "-c" | "-o" | "-w" => drop(value()),
                option if option.starts_with('-') => panic!("{option} in {line}"),
                _ => url = Some(word),
            }
        }
        let url = url.unwrap_or_else(|| panic!("no address in {line}"));
        let rest = url.strip_prefix("localhost:").unwrap_or_else(|| panic!("{url}"));
        let (port, path) = rest.split_once('/').unwrap();
        let port: u16 = port.parse().unwrap();
        let service = Name::ALL.into_iter().find(|name| Ports::Fixed.port(*name) == port);
        let service = service.unwrap_or_else(|| panic!("nobody listens on {port}: {line}"));
        let default = if body.is_empty() { Method::GET } else { Method::POST };
        let method = method.unwrap_or(default);
        Self { method, service, path: format!("/{path}"), headers, body: body.join("&") }
    }
}

/// The pages of the services, and the one about all.
fn pages() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let of_services = Name::ALL.map(|name| folder.join(name.as_str()).join("README.md"));
    [folder.join("README.md")].into_iter().chain(of_services).collect()
}

/// The commands that can be run as they stand: those without an id that only a run can tell.
fn commands(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().filter_map(|line| line.strip_prefix("$ "));
    lines
        .filter(|line| line.starts_with("curl") && !line.contains('…'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_service_has_a_page_with_everything_one_asks_of_it() {
    for name in Name::ALL {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name.as_str());
        let text = std::fs::read_to_string(page.join("README.md")).unwrap();
        for part in ["## Endpoints", "## Telemetry", "## Knobs", "## When something is wrong"] {
            assert!(text.contains(part), "{name}: {part}");
        }
        let port = Ports::Fixed.port(name);
        assert!(text.contains(&format!("Port {port}")), "{name}: its port is {port}");
        assert!(text.contains("$ curl"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_curl_of_the_pages_is_served() {
    let shop = LocalShop::start().await;
    let mut run = 0;
    for page in pages() {
        for command in commands(&page) {
            let Curl { method, service, path, headers, body } = Curl::parse(&command);
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let client: Client = shop.client(service);
            let answer = client.send(method, &path, &headers, body).await;
            let told = String::from_utf8_lossy(&answer.bytes).into_owned();
            let page = page.display();
            assert!(!answer.status.is_server_error(), "{page}: {command}: {told}");
            assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{page}: {command}");
            assert_ne!(answer.status, StatusCode::BAD_REQUEST, "{page}: {command}: {told}");
            assert!(!told.contains("nothing is served"), "{page}: {command}: {told}");
            run += 1;
        }
    }
    assert!(run > 40, "{run} commands");
    shop.stop().await;
}
