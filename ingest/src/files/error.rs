//! What can be wrong with files, with the file's name and the remedy.

use std::io;
use std::path::PathBuf;

use crate::{Kind, Start};

/// A failure of the files source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`ingest.files.path` is empty")]
    NoPath,
    #[error("there is no `{}`", path.display())]
    Missing { path: PathBuf, near: Vec<String> },
    #[error("`{pattern}` is not a glob: {message}")]
    Glob { pattern: String, message: &'static str },
    #[error("no file matches `{pattern}`")]
    NoMatch { pattern: String },
    #[error("the folder `{}` holds no files", path.display())]
    NoFiles { path: PathBuf },
    #[error("folders are nested more than {depth_max} deep at `{}`", path.display())]
    Nested { path: PathBuf, depth_max: usize },
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the {compression} data in `{}` break off or are damaged near byte {at}", path.display())]
    Broken {
        path: PathBuf,
        compression: &'static str,
        at: u64,
        #[source]
        source: io::Error,
    },
    #[error("`{}` is {name}, not rows of CSV, lines of JSON or Avro", path.display())]
    OtherKind { path: PathBuf, name: &'static str, advice: &'static str },
    #[error("the first line of `{}` is not a header: {problem}", path.display())]
    Header { path: PathBuf, problem: String },
    #[error("the header of `{}` has no column `{name}`{}", path.display(), did_you_mean(near))]
    NoColumn { path: PathBuf, setting: &'static str, name: String, near: Vec<String>, columns: Vec<String> },
    #[error("`{}` is an Avro file that cannot be read: {problem}", path.display())]
    Avro { path: PathBuf, problem: String },
    #[error("`{}` is an Avro file, whose records are read as JSON, but `ingest.decode.format` is `csv`", path.display())]
    AvroIsNoCsv { path: PathBuf },
    #[error("`{path}` can be read only once: it is standard input or a pipe")]
    Once { path: String },
    #[error("`{path}` has no shards: it is standard input or a pipe, and only one job reads it")]
    Unshared { path: String },
    #[error("files cannot start at `{start}`: they have no broker times and no live end")]
    Start { start: Start },
}

impl Error {
    #[must_use]
    pub(crate) fn kind(&self) -> Kind {
        Kind::Input
    }

    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::NoPath => {
                "set it to a file, a folder, a glob like `data/*.csv.gz`, or `-` for standard input".into()
            }
            Error::Missing { near, .. } if near.is_empty() => {
                "relative paths begin at the working folder; the configuration names it in `ingest.files.path`".into()
            }
            Error::Missing { near, .. } => format!("did you mean {}?", list(near)),
            Error::Glob { .. } => "write `[[]` for a literal bracket, `**` only between slashes".into(),
            Error::NoMatch { .. } => {
                "check `ingest.files.path`; `*` does not reach into folders (`**` does), nor to hidden files".into()
            }
            Error::NoFiles { .. } => "hidden files do not count: check `ingest.files.path`".into(),
            Error::Nested { .. } => "look for a link that leads back, or name a folder further down".into(),
            Error::Unreadable { .. } => "check that the file is there and may be read by this user".into(),
            Error::Broken { .. } => {
                "copy the file anew, or repair it; what came before the damage has been read".into()
            }
            Error::OtherKind { advice, .. } => (*advice).into(),
            Error::Header { problem, .. } if problem.contains("UTF-8") => {
                "write the file in UTF-8; of Latin-1 and its like: `iconv -f WINDOWS-1252 -t UTF-8 IN > OUT`".into()
            }
            Error::Header { .. } => {
                "check `ingest.decode.delimiter`, or set `ingest.decode.columns` if the file has no header".into()
            }
            Error::NoColumn { setting, columns, .. } => format!(
                "set `ingest.decode.{setting}` to one of its columns, {}; or check `ingest.decode.delimiter`; or set \
                 `ingest.decode.columns` if the file has no header",
                list(columns)
            ),
            Error::Avro { .. } => {
                "the codecs are null, deflate, snappy, zstandard, bzip2 and xz; look at the header with another reader of Avro".into()
            }
            Error::AvroIsNoCsv { .. } => "set `ingest.decode.format` to `json`, or `auto`".into(),
            Error::Once { .. } | Error::Unshared { .. } => "write it to a file first, and read that".into(),
            Error::Start { .. } => "leave `ingest.start` at `earliest`".into(),
        };
        Some(hint)
    }
}

fn did_you_mean(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!(": did you mean {}?", list(near)) }
}

fn list(names: &[String]) -> String {
    const NAMES_MAX: usize = 12;
    let mut list = names.iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES_MAX {
        list.push_str(", …");
    }
    list
}

/// The names most like `wanted`, best first, at most three.
pub(super) fn nearest(wanted: &str, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let mut near: Vec<(f64, String)> = names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    near.into_iter().take(3).map(|(_, name)| name).collect()
}
