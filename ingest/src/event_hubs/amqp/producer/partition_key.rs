//! From a key to a partition, as the service does it: Bob Jenkins' lookup3 (`hashlittle2`, in the public domain), its two halves
//! joined to sixteen bits.

pub(super) fn partition(key: &str, partitions: usize) -> usize {
    let (first, second) = hash(key.as_bytes());
    // The service takes the lower half for a signed number, and its remainder without the sign.
    let joined = ((first ^ second) as u16).cast_signed();
    usize::from(joined.unsigned_abs()) % partitions.max(1)
}

/// The two 32-bit hashes, both begun with zero.
fn hash(bytes: &[u8]) -> (u32, u32) {
    let begin = 0xdead_beef_u32.wrapping_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    let mut state = [begin; 3];
    if bytes.is_empty() {
        return (state[2], state[1]);
    }
    // The last block is not mixed but finished, a full one too.
    let last = (bytes.len() - 1) / 12 * 12;
    for block in bytes[..last].chunks_exact(12) {
        add(&mut state, block);
        mix(&mut state);
    }
    add(&mut state, &bytes[last..]);
    finish(&mut state);
    (state[2], state[1])
}

/// Twelve bytes at most, as three little-endian numbers; what is missing is zero.
fn add(state: &mut [u32; 3], block: &[u8]) {
    for (place, byte) in block.iter().enumerate() {
        let number = &mut state[place / 4];
        *number = number.wrapping_add(u32::from(*byte) << (8 * (place % 4)));
    }
}

fn mix([a, b, c]: &mut [u32; 3]) {
    for (rotation_a, rotation_b, rotation_c) in [(4, 6, 8), (16, 19, 4)] {
        *a = a.wrapping_sub(*c) ^ c.rotate_left(rotation_a);
        *c = c.wrapping_add(*b);
        *b = b.wrapping_sub(*a) ^ a.rotate_left(rotation_b);
        *a = a.wrapping_add(*c);
        *c = c.wrapping_sub(*b) ^ b.rotate_left(rotation_c);
        *b = b.wrapping_add(*a);
    }
}

fn finish([a, b, c]: &mut [u32; 3]) {
    let step = |target: &mut u32, other: u32, rotation| {
        *target = (*target ^ other).wrapping_sub(other.rotate_left(rotation));
    };
    step(c, *b, 14);
    step(a, *c, 11);
    step(b, *a, 25);
    step(c, *b, 16);
    step(a, *c, 4);
    step(b, *a, 14);
    step(c, *b, 24);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_where_microsofts_clients_send_them() {
        // The signed halves are `generate_hash_code` of azure-eventhub 5.15.1 (Python), over the bytes of UTF-8. From there on Microsoft's
        // C#, Java and JavaScript clients take the remainder without its sign; Python's takes its own, and differs.
        for (key, code) in [
            ("a", -16220),
            ("device-00001", 14312),
            ("0123456789ab", -17054),
            ("0123456789abc", -4167),
            ("köln", 10358),
            ("the quick brown fox jumps over the lazy dog", -925),
        ] {
            for partitions in [1, 2, 4, 32, 100] {
                let expected = (code % i32::try_from(partitions).unwrap()).unsigned_abs() as usize;
                assert_eq!(partition(key, partitions), expected, "{key}");
            }
        }
    }

    #[test]
    fn the_hash_is_lookup3() {
        // The driver at the end of lookup3.c prints these for "Four score and seven years ago", begun with zero and zero.
        assert_eq!(hash(b"Four score and seven years ago"), (0x1777_0551, 0xce72_26e6));
        assert_eq!(hash(b""), (0xdead_beef, 0xdead_beef));
    }
}
