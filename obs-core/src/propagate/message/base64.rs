//! Base64 with padding, [RFC 4648](https://www.rfc-editor.org/rfc/rfc4648#section-4), strict.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends the text for `data`.
pub(super) fn encode(data: &[u8], out: &mut Vec<u8>) {
    for chunk in data.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        let symbol = |at: usize| ALPHABET[(group >> (18 - 6 * at)) as usize & 63];
        let padded = |at: usize| if at <= chunk.len() { symbol(at) } else { b'=' };
        out.extend_from_slice(&[symbol(0), symbol(1), padded(2), padded(3)]);
    }
}

/// The data of `text`; `None` unless it is exactly what [`encode`] writes.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take(2).take_while(|&&symbol| symbol == b'=').count();
    let symbols = &text[..text.len() - padding];
    let mut data = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in symbols.chunks(4) {
        let mut group = 0;
        for (at, &symbol) in chunk.iter().enumerate() {
            group |= value(symbol)? << (18 - 6 * at);
        }
        let bytes = group.to_be_bytes();
        let (kept, rest) = bytes[1..].split_at(chunk.len() - 1);
        if rest.iter().any(|&byte| byte != 0) {
            return None;
        }
        data.extend_from_slice(kept);
    }
    Some(data)
}

const fn value(symbol: u8) -> Option<u32> {
    let value = match symbol {
        b'A'..=b'Z' => symbol - b'A',
        b'a'..=b'z' => symbol - b'a' + 26,
        b'0'..=b'9' => symbol - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value as u32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(data: &[u8]) -> String {
        let mut text = Vec::new();
        encode(data, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_vectors_of_the_rfc() {
        for (data, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encoded(data.as_bytes()), text);
            assert_eq!(decode(text.as_bytes()).unwrap(), data.as_bytes());
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["Zg=", "Zg", "Z===", "=", "====", "Zh==", "Zm9=", "Zm9v\n", "Zm-_", "Zg==Zg=="]
        {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn all_data_round_trip(data in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(decode(encoded(&data).as_bytes()).unwrap(), data);
        }
    }
}
