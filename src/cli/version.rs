//! What `--version` says: enough to know which build somebody runs.
//!
//! The commit is told by whoever builds (`ATALAIA_COMMIT`; the Dockerfile does): a build asks nobody, so that the same
//! sources give the same program.

use std::sync::LazyLock;

/// The version, and what was built how; `-V` prints the version alone.
pub(super) fn long() -> &'static str {
    static LONG: LazyLock<String> = LazyLock::new(|| {
        let commit = option_env!("ATALAIA_COMMIT").filter(|commit| !commit.is_empty()).unwrap_or("unknown");
        format!(
            "{}\ncommit      {commit}\ntarget      {}\nbuild       {}\nlibrdkafka  {}",
            env!("CARGO_PKG_VERSION"),
            target(),
            if cfg!(debug_assertions) { "debug" } else { "release" },
            ingest::kafka::client_version(),
        )
    });
    &LONG
}

fn target() -> String {
    let library = match () {
        () if cfg!(target_env = "musl") => "-musl",
        () if cfg!(target_env = "gnu") => "-gnu",
        () => "",
    };
    format!("{}-{}{library}", std::env::consts::ARCH, std::env::consts::OS)
}
