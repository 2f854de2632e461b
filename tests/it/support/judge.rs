//! Python with pandas, Polars, DuckDB, scikit-learn: whoever reads our files in the end judges them.
//! A script below `tests/` passes by ending with status 0; what it prints is its finding.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use super::services;

/// The Python that `scripts/services` prepared.
#[derive(Debug, Clone)]
pub(crate) struct Judge {
    python: PathBuf,
}

impl Judge {
    pub(crate) fn for_test() -> Option<Self> {
        services::address("ATALAIA_TEST_PYTHON", "Python with the judges").map(|python| Judge { python: python.into() })
    }

    /// Runs `tests/SCRIPT ARGS…`; returns what it printed, fails with all it said.
    #[track_caller]
    pub(crate) fn run(&self, script: &str, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> String {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
        let output = Command::new(&self.python)
            // No `__pycache__` folders in the tree; warnings are noise here.
            .args(["-B", "-W", "ignore"])
            .arg(path)
            .args(args)
            .output()
            .unwrap_or_else(|error| panic!("cannot run `{}`: {error}", self.python.display()));
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "tests/{script}: {}\n{stdout}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        stdout
    }
}
