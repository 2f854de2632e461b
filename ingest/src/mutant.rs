//! Guards that a test may take away, to see that its checks notice: `ATALAIA_MUTANT=no-position-filter` or
//! `no-generation-filter`, under the feature `mutants`. Without the feature both answers are constants, and the guards are
//! compiled as if this file were not there.

/// Records below the position that a partition was started at are dropped.
#[inline]
pub(crate) fn has_position_filter() -> bool {
    !is("no-position-filter")
}

/// What belongs to an earlier stay of a partition, or to an earlier start, is dropped.
#[inline]
pub(crate) fn has_generation_filter() -> bool {
    !is("no-generation-filter")
}

#[cfg(not(feature = "mutants"))]
#[inline]
const fn is(_: &str) -> bool {
    false
}

#[cfg(feature = "mutants")]
fn is(name: &str) -> bool {
    static CHOSEN: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("ATALAIA_MUTANT").ok());
    CHOSEN.as_deref() == Some(name)
}
