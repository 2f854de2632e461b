//! Names of a registry's objects. What is read from them is checked, so that no name leads out of the registry.
//!
//! ```text
//! sets/<id>/models-00000.parquet …      written once
//! sets/<id>/manifest.json               written once, behind them: a set without one does not exist
//! current/00000000000000000007          written once; the highest names the set in use
//! ```

use object_store::path::Path;

const SETS: &str = "sets";
const CURRENT: &str = "current";
const MANIFEST: &str = "manifest.json";
const NAME_BYTES_MAX: usize = 128;

pub(super) fn set(registry: &Path, id: &str) -> Path {
    registry.clone().join(SETS).join(id)
}

pub(crate) fn file(registry: &Path, id: &str, name: &str) -> Path {
    set(registry, id).join(name)
}

pub(super) fn manifest(registry: &Path, id: &str) -> Path {
    file(registry, id, MANIFEST)
}

pub(super) fn pointers(registry: &Path) -> Path {
    registry.clone().join(CURRENT)
}

pub(super) fn pointer(registry: &Path, number: u64) -> Path {
    pointers(registry).join(format!("{number:020}"))
}

/// The number of a pointer; none if the object is something else.
pub(super) fn number(registry: &Path, object: &Path) -> Option<u64> {
    let mut parts = object.prefix_match(&pointers(registry))?;
    let name = parts.next()?;
    let name = name.as_ref();
    let is_number = name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit()) && parts.next().is_none();
    is_number.then(|| name.parse().ok()).flatten()
}

/// Whether the name, from the registry on, is that of a set's object: without a pointer nobody is to see it.
pub(crate) fn is_inside(name: &str) -> bool {
    name.split('/').next() == Some(SETS) && name.split('/').count() == 3
}

/// Ids of sets and names of their files: plain words, fit for every store, shell and terminal.
pub(super) fn is_word(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_plain) && !text.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_pointers_only() {
        let registry = Path::from("a/b");
        assert_eq!(number(&registry, &pointer(&registry, 7)), Some(7));
        assert_eq!(number(&registry, &pointer(&registry, u64::MAX)), Some(u64::MAX));
        for other in [
            "a/b/current/7",
            "a/b/current/99999999999999999999",
            "a/b/current/0000000000000000000x",
            "a/b/current/00000000000000000001/x",
            "a/current/00000000000000000001",
        ] {
            assert_eq!(number(&registry, &Path::from(other)), None, "{other}");
        }
        for (text, expected) in
            [("2026-a_b.c", true), ("", false), (".hidden", false), ("a/b", false), ("a b", false), ("..", false)]
        {
            assert_eq!(is_word(text), expected, "{text}");
        }
    }
}
