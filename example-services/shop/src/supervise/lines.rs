use std::io::{self, Read, Write};
use std::thread;

use tokio::sync::oneshot;

/// Writes what `from` brings to stdout, whole lines at a time, in a thread of its own.
///
/// Several processes that wrote to one pipe themselves would tear each other's lines: the system
/// keeps no more than 4,096 bytes together. The receiver completes at the end of `from`. What comes
/// after the last end of a line, as from a process that was killed, is left out.
pub(super) fn forward(from: impl Read + Send + 'static) -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    thread::spawn(move || {
        // Where nobody reads, it is read all the same: whoever writes must not be held up.
        whole_lines(from, |lines| drop(io::stdout().lock().write_all(lines)));
        let _ = ended.send(());
    });
    end
}

fn whole_lines(mut from: impl Read, mut write: impl FnMut(&[u8])) {
    let (mut kept, mut part) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        match from.read(&mut part) {
            Ok(0) => return,
            Ok(count) => kept.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        }
        if let Some(end) = kept.iter().rposition(|byte| *byte == b'\n') {
            write(&kept[..=end]);
            kept.drain(..=end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Brings these parts, one after the other.
    struct Parts(VecDeque<&'static [u8]>);

    impl Read for Parts {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(part) = self.0.pop_front() else { return Ok(0) };
            buffer[..part.len()].copy_from_slice(part);
            Ok(part.len())
        }
    }

    #[test]
    fn lines_stay_whole_and_half_of_one_is_left_out() {
        let parts: [&[u8]; 5] = [b"{\"a\"", b":1}\n{\"b\"", b":2}\n", b"\n{}\n{", b"\"c\""];
        let mut written = Vec::new();
        whole_lines(Parts(parts.into()), |lines| written.push(lines.to_vec()));
        assert_eq!(written, [&b"{\"a\":1}\n"[..], b"{\"b\":2}\n", b"\n{}\n"]);
    }
}
