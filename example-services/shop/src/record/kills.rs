use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use obs_core::clock::{Clock, Timestamp};
use serde::{Deserialize, Serialize};

use super::Files;

/// Spans and lines that were made so long before a process was killed may not have been written:
/// twice the 5 s after which a batch of spans goes out.
const UNWRITTEN: Duration = Duration::from_secs(10);

/// The end of a process that could not write down what it still had in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// What the process is called.
    pub process: String,
    /// When it last wrote anything, in milliseconds since 1970-01-01T00:00:00Z.
    pub last_sign_ms: u64,
    /// When it was started again, in milliseconds since 1970-01-01T00:00:00Z.
    pub found_at_ms: u64,
}

impl Kill {
    /// Whether something that was made between these times may be lost.
    #[must_use]
    pub fn may_have_lost(&self, from_ms: u64, to_ms: u64) -> bool {
        let unwritten_ms = UNWRITTEN.as_millis() as u64;
        from_ms <= self.found_at_ms && to_ms.saturating_add(unwritten_ms) >= self.last_sign_ms
    }

    /// Whether what caused a line with this `timestamp`, at the end of work that took `duration`, may
    /// be lost.
    #[must_use]
    pub fn may_have_lost_cause_of(&self, timestamp: &str, duration: Duration) -> bool {
        // Such times sort as texts do.
        let text = |ms| Timestamp::from_unix_millis(ms).to_string();
        let first_ms = self.last_sign_ms.saturating_sub(UNWRITTEN.as_millis() as u64);
        let last_ms = self.found_at_ms.saturating_add(duration.as_millis() as u64);
        *timestamp >= *text(first_ms) && *timestamp <= *text(last_ms)
    }
}

impl Files {
    /// Notes that `process`, which is about to be started, was killed when it ran last.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_kill(&self, process: &str) -> io::Result<()> {
        let written = |kind: &str| {
            let path = self.path(process, kind);
            fs::metadata(path).and_then(|file| file.modified()).map_or(0, unix_ms)
        };
        let last_sign_ms = written("lines").max(written("spans"));
        let found_at_ms = Clock::system().wall().unix_millis();
        let kill = Kill { process: process.to_owned(), last_sign_ms, found_at_ms };
        let mut text = serde_json::to_vec(&kill)?;
        text.push(b'\n');
        fs::create_dir_all(self.folder())?;
        // One write, so that two processes do not mix theirs.
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.kills_file())?;
        io::Write::write_all(&mut file, &text)
    }

    /// The processes that were killed.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn kills(&self) -> io::Result<Vec<Kill>> {
        let text = match fs::read_to_string(self.kills_file()) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    fn kills_file(&self) -> std::path::PathBuf {
        self.folder().join(Path::new("kills.jsonl"))
    }
}

fn unix_ms(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_a_killed_process_last_wrote_bounds_what_may_be_lost() {
        let data = tempfile::tempdir().unwrap();
        let files = Files::under(data.path());
        assert!(files.kills().unwrap().is_empty());
        let (mut lines, _spans) = files.open("order").unwrap();
        lines.write_all(b"{}\n").unwrap();
        lines.flush().unwrap();
        files.note_kill("order").unwrap();
        let [kill] = &files.kills().unwrap()[..] else { panic!("one kill") };
        assert_eq!(kill.process, "order");
        let (last, found) = (kill.last_sign_ms, kill.found_at_ms);
        assert!(last > 0 && last <= found + 1_000);
        assert!(kill.may_have_lost(last - 60_000, last), "it went on until the kill");
        assert!(kill.may_have_lost(last - 60_000, last - 9_000), "it may not have been written");
        assert!(!kill.may_have_lost(last - 60_000, last - 11_000), "it was written long before");
        assert!(!kill.may_have_lost(found + 1, found + 9), "it began later");
        for (at_ms, lost) in [(last, true), (last - 11_000, false), (found + 1, false)] {
            let timestamp = Timestamp::from_unix_millis(at_ms).to_string();
            let told = kill.may_have_lost_cause_of(&timestamp, Duration::ZERO);
            assert_eq!(told, lost, "{timestamp}");
        }
        let later = Timestamp::from_unix_millis(found + 5_000).to_string();
        assert!(kill.may_have_lost_cause_of(&later, Duration::from_secs(5)), "it began before");
    }
}
