use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file of lines that is rotated by size.
///
/// When a write would make `orders.log` longer than its limit, `orders.log.1` becomes
/// `orders.log.2` and so on up to the number of files kept, `orders.log` becomes `orders.log.1`,
/// and a new `orders.log` is begun. A file is rotated only between lines, so each file holds whole
/// lines; a single write longer than the limit makes one longer file.
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
        let full = self.size.saturating_add(bytes.len() as u64) > self.max_bytes;
        if full && self.size > 0 && self.between_lines {
            self.rotate()?;
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

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
