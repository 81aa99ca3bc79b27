use std::io::{self, Write};

use serde_json::{Map, Value};

/// Members that have a place of their own, or are left out for readers at a terminal.
const PLACED: [&str; 8] =
    ["timestamp", "level", "message", "target", "service", "span_id", "xray_trace_id", "_aws"];

/// A destination that makes lines readable for people at a terminal.
///
/// `12:00:00.250 INFO  shop::orders: placed  items=3 order=o-17`, the fields by name, with colours
/// if they are asked for. What is no JSON object passes unchanged. Parses every line: for
/// development, not for production.
///
/// ```
/// use std::io::Write;
/// use obs_core::output::Pretty;
///
/// let mut pretty = Pretty::new(Vec::new(), false);
/// pretty.write_all(
///     b"{\"timestamp\":\"2026-01-01T12:00:00.250Z\",\"level\":\"INFO\",\"message\":\"placed\",\
///       \"target\":\"shop\",\"items\":3}\n",
/// )?;
/// assert_eq!(pretty.into_inner(), b"12:00:00.250 INFO  shop: placed  items=3\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Pretty<W> {
    inner: W,
    colours: bool,
    /// The start of a line whose end has not come yet.
    partial: Vec<u8>,
}

impl<W: Write> Pretty<W> {
    /// Writes to `inner`.
    pub fn new(inner: W, colours: bool) -> Self {
        Self { inner, colours, partial: Vec::new() }
    }

    /// The destination behind it.
    pub fn into_inner(self) -> W {
        self.inner
    }

    fn render(&self, line: &[u8]) -> Vec<u8> {
        match serde_json::from_slice(line) {
            Ok(Value::Object(members)) => self.render_members(&members).into_bytes(),
            _ => line.to_vec(),
        }
    }

    fn render_members(&self, members: &Map<String, Value>) -> String {
        let text = |key: &str| members.get(key).and_then(Value::as_str).unwrap_or_default();
        let time = text("timestamp").split_once('T').map_or("", |(_, time)| time);
        let mut line = self.paint("2", time.trim_end_matches('Z'));
        line.push(' ');
        line += &self.paint(colour_of(text("level")), &format!("{:<5}", text("level")));
        line.push(' ');
        line += &self.paint("2", &format!("{}:", text("target")));
        line.push(' ');
        line += &printable(text("message"));
        let mut separator = "  ";
        for (key, value) in members {
            // Upper-case names are dimensions and metrics, which `_aws` describes.
            if PLACED.contains(&key.as_str()) || key.starts_with(|c: char| c.is_ascii_uppercase()) {
                continue;
            }
            let value = match value {
                Value::String(text) => printable(text),
                value => value.to_string(),
            };
            line += separator;
            line += &self.paint("3", key);
            line.push('=');
            line += &value;
            separator = " ";
        }
        line.push('\n');
        line
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The text on one line, without what would steer the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = escaped.is_none().then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

fn colour_of(level: &str) -> &'static str {
    match level {
        "ERROR" => "31",
        "WARN" => "33",
        "INFO" => "32",
        _ => "34",
    }
}

impl<W: Write> Write for Pretty<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let rendered = self.render(&self.partial);
                self.partial.clear();
                self.inner.write_all(&rendered)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_line_are_put_together_and_other_text_passes() {
        let mut pretty = Pretty::new(Vec::new(), true);
        pretty.write_all(b"not json\n{\"level\":\"ERROR\",\"mess").unwrap();
        pretty.write_all(b"age\":\"a\\u001bb\",\"z\":\"x\\ny\",\"a\":1,\"Latency\":2}\n").unwrap();
        let text = String::from_utf8(pretty.into_inner()).unwrap();
        let (first, second) = text.split_once('\n').unwrap();
        assert_eq!(first, "not json");
        assert!(second.contains("\x1b[31mERROR\x1b[0m"));
        assert!(
            second.ends_with("a\\u{1b}b  \x1b[3ma\x1b[0m=1 \x1b[3mz\x1b[0m=x\\ny\n"),
            "{second:?}"
        );
    }
}
