use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file of lines that is rotated by size.
///
/// When the next line would make `orders.log` longer than its limit, `orders.log.1` becomes
/// `orders.log.2` and so on up to the number of files kept, `orders.log` becomes `orders.log.1`,
/// and a new `orders.log` is begun. A file is rotated only between lines, so each file holds whole
/// lines; a single line longer than the limit makes one longer file.
///
/// ```
/// use std::io::Write;
///
/// use obs_core::output::RotatingFile;
///
/// let folder = std::env::temp_dir().join(format!("obs-rotating-{}", std::process::id()));
/// std::fs::create_dir_all(&folder)?;
/// let mut file = RotatingFile::open(folder.join("orders.log"), 10, 1)?;
/// file.write_all(b"the first\n")?;
/// file.write_all(b"the second\n")?;
/// assert_eq!(std::fs::read(folder.join("orders.log.1"))?, b"the first\n");
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    /// `None` after a rotation that could not open its new file; the next write tries again.
    file: Option<File>,
    size: u64,
    max_bytes: u64,
    kept: u32,
    between_lines: bool,
}

impl RotatingFile {
    /// Opens `path` for appending, and keeps at most `kept` older files beside it.
    ///
    /// With `kept` 0 the file is emptied when it is full.
    ///
    /// # Errors
    /// What the operating system says when the file cannot be opened; `InvalidInput` when
    /// `max_bytes` is 0.
    pub fn open(path: impl AsRef<Path>, max_bytes: u64, kept: u32) -> io::Result<Self> {
        if max_bytes == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "max_bytes must be at least 1",
            ));
        }
        let path = path.as_ref().to_owned();
        let file = append(&path)?;
        let size = file.metadata()?.len();
        Ok(Self { path, file: Some(file), size, max_bytes, kept, between_lines: true })
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        for number in (1..self.kept).rev() {
            rename_if_there(&self.numbered(number), &self.numbered(number + 1))?;
        }
        if self.kept > 0 {
            rename_if_there(&self.path, &self.numbered(1))?;
        } else {
            File::create(&self.path)?;
        }
        self.size = 0;
        Ok(())
    }

    fn current(&mut self) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => append(&self.path)?,
        };
        Ok(self.file.insert(file))
    }
}

impl Write for RotatingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut bytes = bytes;
        if self.between_lines {
            let room = self.max_bytes.saturating_sub(self.size);
            bytes = match whole_lines_within(bytes, room) {
                Some(lines) => lines,
                None if self.size == 0 => first_line(bytes),
                None => {
                    self.rotate()?;
                    whole_lines_within(bytes, self.max_bytes).unwrap_or_else(|| first_line(bytes))
                }
            };
        }
        let count = self.current()?.write(bytes)?;
        self.size += count as u64;
        if let Some(last) = count.checked_sub(1).and_then(|last| bytes.get(last)) {
            self.between_lines = *last == b'\n';
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The whole lines at the start of `bytes` that together fit into `room`.
fn whole_lines_within(bytes: &[u8], room: u64) -> Option<&[u8]> {
    let room = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
    let end = bytes[..room].iter().rposition(|&byte| byte == b'\n')? + 1;
    Some(&bytes[..end])
}

fn first_line(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| at + 1);
    &bytes[..end]
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of its own, removed at the end.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("obs-file-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn read(&self, name: &str) -> Option<String> {
            std::fs::read_to_string(self.0.join(name)).ok()
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_full_file_is_rotated_between_lines_and_the_oldest_is_let_go() {
        let directory = Directory::new("rotate");
        let mut file = RotatingFile::open(directory.0.join("log"), 10, 2).unwrap();
        for line in ["aaaa\nbbbb\ncccc\n", "dddd\n", "eeee\nffff\ngggg\n"] {
            file.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(directory.read("log").as_deref(), Some("gggg\n"));
        assert_eq!(directory.read("log.1").as_deref(), Some("eeee\nffff\n"));
        assert_eq!(directory.read("log.2").as_deref(), Some("cccc\ndddd\n"));
        assert_eq!(directory.read("log.3"), None);
    }

    #[test]
    fn a_line_longer_than_the_limit_gets_a_file_of_its_own() {
        let directory = Directory::new("long");
        let mut file = RotatingFile::open(directory.0.join("log"), 4, 5).unwrap();
        file.write_all(b"a\nlong line\nb\n").unwrap();
        assert_eq!(directory.read("log.2").as_deref(), Some("a\n"));
        assert_eq!(directory.read("log.1").as_deref(), Some("long line\n"));
        assert_eq!(directory.read("log").as_deref(), Some("b\n"));
    }

    #[test]
    fn an_existing_file_is_continued() {
        let directory = Directory::new("continue");
        let path = directory.0.join("log");
        RotatingFile::open(&path, 10, 0).unwrap().write_all(b"aaaaaaa\n").unwrap();
        let mut file = RotatingFile::open(&path, 10, 0).unwrap();
        file.write_all(b"b\n").unwrap();
        assert_eq!(directory.read("log").as_deref(), Some("aaaaaaa\nb\n"));
        file.write_all(b"c\n").unwrap();
        assert_eq!(directory.read("log").as_deref(), Some("c\n"), "emptied when none is kept");
    }
}
