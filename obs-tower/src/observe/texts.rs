use http::HeaderValue;

/// Bytes that are kept without an allocation: of a path and of what browsers call themselves.
const INLINE: usize = 224;

/// Bytes of the path that are kept of a request that is not sampled: it is only seen if the span
/// is exported all the same.
const PATH_UNSAMPLED: usize = 64;

/// Bytes of a user agent that go into a line, and into the span of a request that is not sampled.
const AGENT_IN_LINE: usize = 256;

/// What the client wrote and the record keeps: the path and the user agent, side by side.
#[derive(Debug)]
pub(super) struct Texts {
    inline: [u8; INLINE],
    /// Instead of `inline`, if that is too short.
    long: Vec<u8>,
    path: usize,
    agent: Option<usize>,
}

impl Default for Texts {
    fn default() -> Self {
        Self { inline: [0; INLINE], long: Vec::new(), path: 0, agent: None }
    }
}

impl Texts {
    /// Takes over a path and a user agent.
    // In place: what is made elsewhere and moved here is copied with all the room it has.
    pub(super) fn set(&mut self, path: &str, agent: Option<&HeaderValue>, sampled: bool) {
        let keep = |limit| if sampled { usize::MAX } else { limit };
        let path = beginning(path.as_bytes(), keep(PATH_UNSAMPLED));
        let agent = agent.map(|agent| beginning(agent.as_bytes(), keep(AGENT_IN_LINE)));
        (self.path, self.agent) = (path.len(), agent.map(<[u8]>::len));
        let agent = agent.unwrap_or_default();
        let length = path.len() + agent.len();
        let place = match self.inline.get_mut(..length) {
            Some(place) => place,
            None => {
                self.long.resize(length, 0);
                &mut self.long
            }
        };
        place[..path.len()].copy_from_slice(path);
        place[path.len()..].copy_from_slice(agent);
    }

    fn bytes(&self) -> &[u8] {
        if self.long.is_empty() { &self.inline } else { &self.long }
    }

    pub(super) fn path(&self) -> &[u8] {
        &self.bytes()[..self.path]
    }

    pub(super) fn agent(&self) -> Option<&[u8]> {
        self.agent.map(|length| &self.bytes()[self.path..self.path + length])
    }

    /// As much of the user agent as a line carries.
    pub(super) fn agent_in_line(&self) -> Option<&[u8]> {
        self.agent().map(|agent| beginning(agent, AGENT_IN_LINE))
    }
}

fn beginning(bytes: &[u8], limit: usize) -> &[u8] {
    &bytes[..bytes.len().min(limit)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &str, agent: Option<&HeaderValue>, sampled: bool) -> Texts {
        let mut texts = Texts::default();
        texts.set(path, agent, sampled);
        texts
    }

    #[test]
    fn a_sampled_request_keeps_all_and_any_other_the_beginnings() {
        let (path, agent) = ("/".repeat(100), HeaderValue::from_str(&"a".repeat(300)).unwrap());
        let all = texts(&path, Some(&agent), true);
        assert_eq!((all.path(), all.agent()), (path.as_bytes(), Some(agent.as_bytes())));
        let some = texts(&path, Some(&agent), false);
        assert_eq!((some.path().len(), some.agent().unwrap().len()), (64, 256));
        for texts in [all, some] {
            assert_eq!(texts.agent_in_line(), Some(&agent.as_bytes()[..256]));
        }
    }

    #[test]
    fn no_user_agent_is_not_an_empty_one() {
        let empty = HeaderValue::from_static("");
        assert_eq!(texts("/", None, true).agent(), None);
        assert_eq!(texts("/", Some(&empty), true).agent(), Some(&b""[..]));
    }
}
