use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use obs_core::output::RotatingFile;

use super::lines::{self, Line};
use super::span::Span;

/// The most bytes of one file before it is rotated: 32 MiB.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// How many older files are kept beside each.
const KEPT: u32 = 3;

/// The files in which a shop keeps its lines and spans.
#[derive(Clone, Debug)]
pub struct Files(PathBuf);

impl Files {
    /// Those under the data folder `data`.
    #[must_use]
    pub fn under(data: &Path) -> Self {
        Self(data.join("telemetry"))
    }

    /// Opens the files for lines and spans of `process` for appending.
    ///
    /// # Errors
    /// When the folder or a file cannot be created.
    pub fn open(&self, process: &str) -> io::Result<(RotatingFile, RotatingFile)> {
        std::fs::create_dir_all(&self.0)?;
        let open = |kind| RotatingFile::open(self.path(process, kind), MAX_BYTES, KEPT);
        Ok((open("lines")?, open("spans")?))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    pub(super) fn path(&self, process: &str, kind: &str) -> PathBuf {
        self.0.join(format!("{process}.{kind}.jsonl"))
    }

    /// Calls `each` with the text of every line, in no order.
    ///
    /// # Errors
    /// When a file cannot be read. A folder that is not there holds nothing.
    pub fn each_line(&self, mut each: impl FnMut(&str)) -> io::Result<()> {
        self.of_kind("lines")?.iter().try_for_each(|path| read(path, &mut each))
    }

    /// Every line for which `wanted`, by time.
    ///
    /// # Errors
    /// When a file cannot be read. A folder that is not there holds nothing.
    pub fn lines(&self, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<Line>> {
        let mut all = Vec::new();
        for path in self.of_kind("lines")? {
            read(&path, |text| {
                if wanted(text) {
                    all.extend(lines::parse(text));
                }
            })?;
        }
        all.sort_by(|a, b| lines::text(a, "timestamp").cmp(lines::text(b, "timestamp")));
        Ok(all)
    }

    /// Every span for which `wanted`, by start.
    ///
    /// # Errors
    /// When a file cannot be read. A folder that is not there holds nothing.
    pub fn spans(&self, wanted: impl Fn(&Span) -> bool) -> io::Result<Vec<Span>> {
        let mut all: Vec<Span> = Vec::new();
        for path in self.of_kind("spans")? {
            read(&path, |text| {
                // The last one may be half written.
                all.extend(serde_json::from_str(text).ok().filter(|span| wanted(span)));
            })?;
        }
        all.sort_by_key(|span| span.start_ns);
        Ok(all)
    }

    fn of_kind(&self, kind: &str) -> io::Result<Vec<PathBuf>> {
        let entries = match std::fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let marker = format!(".{kind}.jsonl");
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.contains(&marker) {
                paths.push(path);
            }
        }
        Ok(paths)
    }
}

/// Calls `each` with every line of a file that may be rotated away at any time.
fn read(path: &Path, mut each: impl FnMut(&str)) -> io::Result<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::new(file);
    let mut text = Vec::new();
    while reader.read_until(b'\n', &mut text)? > 0 {
        each(String::from_utf8_lossy(&text).trim_end());
        text.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_of_all_processes_are_found_in_the_order_of_their_times() {
        let data = tempfile::tempdir().unwrap();
        let files = Files::under(data.path());
        assert!(files.lines(|_| true).unwrap().is_empty());
        for (process, time) in
            [("order", "2026-01-01T00:00:00.002Z"), ("cart", "2026-01-01T00:00:00.001Z")]
        {
            let (mut lines, _) = files.open(process).unwrap();
            writeln!(
                lines,
                r#"{{"timestamp":"{time}","service":"{process}","correlation_id":"a"}}"#
            )
            .unwrap();
            writeln!(lines, r#"{{"timestamp":"{time}","correlation_id":"b"}}"#).unwrap();
            lines.flush().unwrap();
        }
        let found = files.lines(|text| text.contains(r#""correlation_id":"a""#)).unwrap();
        let services: Vec<_> = found.iter().map(|line| lines::text(line, "service")).collect();
        assert_eq!(services, ["cart", "order"]);
    }

    #[test]
    fn a_span_that_is_half_written_is_passed_over() {
        let data = tempfile::tempdir().unwrap();
        let files = Files::under(data.path());
        let (_, mut spans) = files.open("shop").unwrap();
        spans.write_all(b"{\"service\":\"order\",\"na\n").unwrap();
        spans.flush().unwrap();
        assert!(files.spans(|_| true).unwrap().is_empty());
    }
}
