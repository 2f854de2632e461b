//! From a partition key to a partition, as the service does it: Bob Jenkins' lookup3 (public domain, `hashlittle2`), its two
//! halves joined and folded to 16 bits.

/// The partition that the service gives to a key.
pub fn partition(key: &str, partitions: usize) -> usize {
    let (c, b) = lookup3(key.as_bytes());
    let folded = (c ^ b) as u16 as i16;
    usize::from(folded.unsigned_abs()) % partitions.max(1)
}

/// lookup3 with both seeds zero.
fn lookup3(data: &[u8]) -> (u32, u32) {
    let start = 0xdead_beef_u32.wrapping_add(data.len() as u32);
    let (mut a, mut b, mut c) = (start, start, start);
    let mut rest = data;
    while rest.len() > 12 {
        add(&mut a, &mut b, &mut c, &rest[..12]);
        mix(&mut a, &mut b, &mut c);
        rest = &rest[12..];
    }
    // An empty tail is the one that is not stirred.
    if !rest.is_empty() {
        add(&mut a, &mut b, &mut c, rest);
        finish(&mut a, &mut b, &mut c);
    }
    (c, b)
}

/// Twelve bytes, little-endian, with zeros for those that are missing.
fn add(a: &mut u32, b: &mut u32, c: &mut u32, bytes: &[u8]) {
    let mut block = [0; 12];
    block[..bytes.len()].copy_from_slice(bytes);
    let word = |at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    *a = a.wrapping_add(word(0));
    *b = b.wrapping_add(word(4));
    *c = c.wrapping_add(word(8));
}

fn mix(a: &mut u32, b: &mut u32, c: &mut u32) {
    for (x, y, z, turn) in [(0, 2, 1, 4), (1, 0, 2, 6), (2, 1, 0, 8), (0, 2, 1, 16), (1, 0, 2, 19), (2, 1, 0, 4)] {
        let mut words = [*a, *b, *c];
        words[x] = words[x].wrapping_sub(words[y]) ^ words[y].rotate_left(turn);
        words[y] = words[y].wrapping_add(words[z]);
        [*a, *b, *c] = words;
    }
}

fn finish(a: &mut u32, b: &mut u32, c: &mut u32) {
    for (x, y, turn) in [(2, 1, 14), (0, 2, 11), (1, 0, 25), (2, 1, 16), (0, 2, 4), (1, 0, 14), (2, 1, 24)] {
        let mut words = [*a, *b, *c];
        words[x] = (words[x] ^ words[y]).wrapping_sub(words[y].rotate_left(turn));
        [*a, *b, *c] = words;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes and 16-bit codes as Microsoft's Python client computes them (azure-eventhub 5.15.1, `compute_hash` and
    /// `generate_hash_code` of `_partition_resolver.py`).
    const KNOWN: [(&str, u32, u32, i16); KNOWN_COUNT] = [
        ("a", 0x58d68708, 0x582647ac, -16220),
        ("key", 0x7935f00c, 0x81dadc97, 11419),
        ("device-7", 0x47365853, 0xbb4d36f1, 28322),
        ("abcdefghijkl", 0x4012f87b, 0x75b50ec0, -2373),
        ("abcdefghijklm", 0x928128f9, 0x0f04ab68, -31855),
        ("abcdefghijklmnopqrstuvwxyz", 0x7538b5bd, 0x7ded7e16, -13397),
        ("7eeb4f2c-a9f0-4f9d-9d64-4d2f2d1cb65e", 0x001d1cea, 0xcde0d048, -13150),
        ("ab", 0xfbb3a8df, 0x6b79a0f2, 2093),
        ("abc", 0x0e397631, 0x3c03be9e, -14161),
        ("abcd", 0xb5f4889c, 0xe20dd3fa, 23398),
        ("abcde", 0x026d72de, 0x03cd18df, 27137),
        ("abcdef", 0xd6fa502e, 0x23a820a4, 28810),
        ("abcdefg", 0xb11ad4a5, 0x59ac1d9d, -14024),
        ("abcdefgh", 0x2995c3be, 0xc7969524, 22170),
        ("abcdefghi", 0xac6572b4, 0xd99384ff, -2485),
        ("abcdefghij", 0x8bf7d2ef, 0x4e0e3900, -5137),
        ("abcdefghijk", 0x5f61edf8, 0x83d51874, -2676),
    ];
    const KNOWN_COUNT: usize = 17;

    #[test]
    fn keys_hash_as_microsofts_client_hashes_them() {
        for (key, c, b, code) in KNOWN {
            assert_eq!(lookup3(key.as_bytes()), (c, b), "{key}");
            assert_eq!((c ^ b) as u16 as i16, code, "{key}");
        }
    }

    /// The sign is dropped after the remainder, as the service's own code and the JavaScript client do; Python's `%` alone
    /// would give another partition for a negative code.
    #[test]
    fn a_negative_code_counts_as_its_absolute_value() {
        for (key, _, _, code) in KNOWN {
            for partitions in [1, 2, 3, 4, 5, 32] {
                assert_eq!(
                    partition(key, partitions),
                    (i32::from(code) % partitions as i32).unsigned_abs() as usize,
                    "{key}"
                );
            }
        }
        assert!(KNOWN.iter().any(|(.., code)| *code < 0) && KNOWN.iter().any(|(.., code)| *code > 0));
    }
}
