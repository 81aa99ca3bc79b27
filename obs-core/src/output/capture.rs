use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Lines kept in memory; clones share them.
///
/// What [`Output::captured`](super::Output::captured) writes to. Flush or shut down the output
/// before reading.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::output::{Class, Output};
///
/// let (output, capture) = Output::captured();
/// output.write(Class::Info, b"one\n");
/// output.write(Class::Info, b"two\n");
/// assert!(output.flush(Duration::from_secs(1)));
/// assert_eq!(capture.lines(), ["one", "two"]);
/// assert_eq!((capture.text().len(), capture.bytes().len()), (8, 8));
/// capture.clear();
/// assert!(capture.lines().is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Capture(Arc<Mutex<Vec<u8>>>);

impl Capture {
    /// Everything written so far.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything written so far; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// The lines written so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }

    /// Forgets what was written.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
