use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Tells two members of one process apart.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// The others who have a file open.
///
/// Each has a socket in a folder beside the file and takes any datagram for "something was
/// written". A datagram does not say what: when a socket's buffer is full, one that is lost is as
/// good as those that are in it.
///
/// Where there can be no socket, because the path is longer than a socket's may be (107 bytes on
/// Linux), a long poll learns of others' messages at its end only.
pub(super) struct Others {
    folder: PathBuf,
    own: PathBuf,
    socket: UnixDatagram,
}

impl Others {
    /// Joins those who have the file at `path` open; `told` is called whenever one of them writes.
    pub(super) fn join(path: &Path, told: impl Fn() + Send + 'static) -> Option<Self> {
        let mut folder = path.as_os_str().to_owned();
        folder.push(".bells");
        let folder = PathBuf::from(folder);
        fs::create_dir_all(&folder).ok()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let own = folder.join(format!("{}-{number}", std::process::id()));
        // Left behind by a process of the same id.
        let _ = fs::remove_file(&own);
        let socket = UnixDatagram::bind(&own).ok()?;
        let listening = socket.try_clone().ok()?;
        let listen = move || {
            // The only one byte that says something is the farewell.
            let mut byte = [0];
            while listening.recv(&mut byte).is_ok() && byte != *FAREWELL {
                told();
            }
        };
        thread::Builder::new().name("bells".to_owned()).spawn(listen).ok()?;
        Some(Self { folder, own, socket })
    }

    /// Tells all others. Does not wait.
    pub(super) fn tell(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| *path != self.own) {
            let Ok(socket) = UnixDatagram::unbound() else { return };
            if socket.set_nonblocking(true).is_err() {
                return;
            }
            // A full buffer is fine. A socket that nobody holds is one whose process was killed.
            if socket
                .send_to(WRITTEN, &path)
                .is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused)
            {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

const WRITTEN: &[u8; 1] = b"w";
const FAREWELL: &[u8; 1] = b"f";

impl Drop for Others {
    fn drop(&mut self) {
        let _ = self.socket.send_to(FAREWELL, &self.own);
        let _ = fs::remove_file(&self.own);
    }
}
