//! From `ingest.files.path` to the list of files, in the order in which they are read. The same files give the same
//! order on every machine: positions depend on it.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::{Error, nearest};

/// Deeper than any sane tree; a link that leads back to a parent ends here.
const DEPTH_MAX: usize = 32;

/// One input: where it is, and its size if that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    File {
        path: PathBuf,
        bytes: u64,
    },
    /// Standard input, or whatever else is no regular file: to be opened once, as what was read of it is gone.
    Stream {
        path: PathBuf,
    },
}

impl Input {
    pub(super) fn is_stream(&self) -> bool {
        matches!(self, Input::Stream { .. })
    }
}

/// Standard input, in place of a path.
pub(super) const STANDARD_INPUT: &str = "-";

pub(super) fn expand(path: &str) -> Result<Vec<Input>, Error> {
    if path == STANDARD_INPUT {
        return Ok(vec![Input::Stream { path: path.into() }]);
    }
    if path.is_empty() {
        return Err(Error::NoPath);
    }
    let mut files = Vec::new();
    let literal = Path::new(path);
    if literal.exists() {
        collect(literal, 0, &mut files)?;
        if files.is_empty() {
            return Err(Error::NoFiles { path: literal.to_owned() });
        }
        return Ok(files);
    }
    if !path.contains(['*', '?', '[']) {
        return Err(missing(literal));
    }
    let options =
        glob::MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
    let matches =
        glob::glob_with(path, options).map_err(|error| Error::Glob { pattern: path.to_owned(), message: error.msg })?;
    let mut found = matches
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::Unreadable { path: error.path().to_owned(), source: error.into() })?;
    found.sort();
    for path in &found {
        // `**` finds a folder and also what lies in it; the files come by their own names then.
        if !(path.is_dir() && found.iter().any(|other| other != path && other.starts_with(path))) {
            collect(path, 0, &mut files)?;
        }
    }
    if files.is_empty() {
        return Err(Error::NoMatch { pattern: path.to_owned() });
    }
    Ok(files)
}

/// A file, or all files below a folder in the order of their names.
fn collect(path: &Path, depth: usize, files: &mut Vec<Input>) -> Result<(), Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_dir() {
        let path = path.to_owned();
        let regular = metadata.is_file();
        files.push(if regular { Input::File { path, bytes: metadata.len() } } else { Input::Stream { path } });
        return Ok(());
    }
    if depth > DEPTH_MAX {
        return Err(Error::Nested { path: path.to_owned(), depth_max: DEPTH_MAX });
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if !name.as_encoded_bytes().starts_with(b".") {
            names.push(name);
        }
    }
    names.sort();
    names.iter().try_for_each(|name| collect(&path.join(name), depth + 1, files))
}

fn missing(path: &Path) -> Error {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    let names = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    Error::Missing { path: path.to_owned(), near: nearest(&wanted, names) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str, root: &Path) -> Vec<String> {
        let shown = |input: &Input| match input {
            Input::File { path, .. } => path.strip_prefix(root).expect("below the root").display().to_string(),
            Input::Stream { path } => panic!("`{}` is a file", path.display()),
        };
        expand(path).expect(path).iter().map(shown).collect()
    }

    #[test]
    fn order_and_errors() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        for name in ["b.csv", "a/2.csv", "a/10.csv", "a/.hidden", "c.jsonl", ".d/x.csv", "readings [1].csv"] {
            fs::create_dir_all(root.join(name).parent().expect("a parent")).expect("folders");
            fs::write(root.join(name), "x").expect("a file");
        }
        let at = |name: &str| root.join(name).display().to_string();
        assert_eq!(names(&at(""), root), ["a/10.csv", "a/2.csv", "b.csv", "c.jsonl", "readings [1].csv"]);
        assert_eq!(names(&at("*.csv"), root), ["b.csv", "readings [1].csv"]);
        assert_eq!(names(&at("**/*.csv"), root), ["a/10.csv", "a/2.csv", "b.csv", "readings [1].csv"]);
        assert_eq!(names(&at("**"), root), ["a/10.csv", "a/2.csv"]);
        assert_eq!(names(&at("readings [1].csv"), root), ["readings [1].csv"], "a name that looks like a glob");

        fs::create_dir(root.join("empty")).expect("a folder");
        for (path, message) in [
            (at("B.csw"), "there is no"),
            (at("*.parquet"), "no file matches"),
            (at("empty"), "the folder"),
            (at("a***"), "`"),
            (String::new(), "`ingest.files.path` is empty"),
        ] {
            let error = expand(&path).expect_err(&path);
            assert!(error.to_string().starts_with(message), "{error}");
            assert!(error.hint().is_some());
        }
        let error = expand(&at("B.csw")).expect_err("missing");
        assert_eq!(error.hint().as_deref(), Some("did you mean `b.csv`?"));
    }
}
