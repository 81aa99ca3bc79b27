/// As many bytes are copied whole, because a copy of a known length is no call.
const ROOM: usize = 32;

/// Bytes that are known when a shape is built and appended for each event.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    short: [u8; ROOM],
    length: usize,
    /// All of them, if they do not fit.
    long: Box<[u8]>,
}

impl Piece {
    /// So many bytes more than it is long may be touched behind it.
    pub(crate) const SLACK: usize = ROOM;

    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut short = [0; ROOM];
        let mut long = Box::default();
        match short.get_mut(..bytes.len()) {
            Some(place) => place.copy_from_slice(bytes),
            None => long = bytes.into(),
        }
        Self { short, length: bytes.len(), long }
    }

    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    #[inline]
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        if self.length <= ROOM {
            let end = out.len() + self.length;
            out.extend_from_slice(&self.short);
            out.truncate(end);
        } else {
            out.extend_from_slice(&self.long);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_of_any_length_is_appended_as_it_is() {
        for length in [0, 1, ROOM - 1, ROOM, ROOM + 1, 400] {
            let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let mut out = b"before".to_vec();
            Piece::new(&bytes).append_to(&mut out);
            assert_eq!(out, [b"before", &bytes[..]].concat());
        }
    }
}
