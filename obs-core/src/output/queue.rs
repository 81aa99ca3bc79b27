use std::collections::VecDeque;

use super::Class;

/// The most bytes one write carries, unless a single line is longer.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;

/// Emptied chunks that are kept for reuse: what gathers before the writer starts, and as much again
/// that comes while it writes.
const SPARE_CHUNKS: usize = 8;

/// Whole lines that go out in one write.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    /// Where each line ends, and its class.
    pub(super) lines: Vec<(u32, Class)>,
}

/// Lines in the order they came, gathered into chunks.
#[derive(Debug, Default)]
pub(super) struct Queue {
    chunks: VecDeque<Chunk>,
    spare: Vec<Chunk>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Appends a line, with a line feed if it has none; says how many bytes that took.
    pub(super) fn push(&mut self, class: Class, line: &[u8]) -> usize {
        let ended = line.last() == Some(&b'\n');
        let fits =
            self.chunks.back().is_some_and(|chunk| chunk.bytes.len() + line.len() < CHUNK_BYTES);
        if !fits {
            let chunk = self.spare.pop().unwrap_or_else(|| Chunk {
                bytes: Vec::with_capacity(CHUNK_BYTES.max(line.len() + 1)),
                lines: Vec::with_capacity(256),
            });
            self.chunks.push_back(chunk);
        }
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.bytes.extend_from_slice(line);
            if !ended {
                chunk.bytes.push(b'\n');
            }
            let end = u32::try_from(chunk.bytes.len()).unwrap_or(u32::MAX);
            chunk.lines.push((end, class));
        }
        line.len() + usize::from(!ended)
    }

    pub(super) fn pop(&mut self) -> Option<Chunk> {
        self.chunks.pop_front()
    }

    /// Takes back an emptied chunk; one that grew for a long line is let go.
    pub(super) fn recycle(&mut self, mut chunk: Chunk) {
        if self.spare.len() < SPARE_CHUNKS && chunk.bytes.capacity() <= CHUNK_BYTES {
            chunk.bytes.clear();
            chunk.lines.clear();
            self.spare.push(chunk);
        }
    }
}
