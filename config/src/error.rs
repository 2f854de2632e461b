//! What can be wrong with a configuration, said so that the reader knows which line to change.
//!
//! Every error here has one remedy, changing the input; so there is no `kind`. Values of secrets never get into a message.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;

/// Why there is no configuration. `Display` is the error itself; [`Error::hint`] the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no configuration file `{}`", path.display())]
    Missing {
        path: PathBuf,
        /// Configurations that lie beside it, the likeliest first.
        there: Vec<String>,
        /// The first of them has almost its name.
        is_near: bool,
    },
    #[error("cannot read the configuration file `{}`: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the configuration file `{}` is larger than {max} bytes", path.display())]
    TooLarge { path: PathBuf, max: u64 },
    #[error("the configuration file `{}` is not {format}: line {line}, column {column}: {message}", path.display())]
    Syntax {
        path: PathBuf,
        format: &'static str,
        line: usize,
        column: usize,
        message: String,
        /// What the setting would look like with the quotes that its text lacks.
        quoted: Option<String>,
    },
    #[error("{}", list(problems))]
    Invalid { problems: Vec<Problem> },
}

impl Error {
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Missing { there, is_near, .. } => Some(format!(
                "{}`atalaia init --sample FILE` writes one from a sample of your data, `atalaia init` one with every setting; give it with \
                 `-c FILE`",
                beside(there, *is_near)
            )),
            Error::Read { source, .. } => Some(
                match source.kind() {
                    ErrorKind::PermissionDenied => "let the user that the program runs as read it",
                    ErrorKind::IsADirectory => "this is a folder: give the file itself",
                    ErrorKind::InvalidData => {
                        "a configuration is text in UTF-8: is it another file, or written in another encoding?"
                    }
                    _ => "check the path and the disk or volume that it is on",
                }
                .into(),
            ),
            Error::TooLarge { .. } => {
                Some("is it the configuration? a file of readings goes to `ingest.files.path`".into())
            }
            Error::Syntax { quoted: Some(quoted), .. } => Some(format!("a text stands in quotes: `{quoted}`")),
            Error::Syntax { format, .. } => Some(format!(
                "the file was read as {format}; a name that ends in `.json` or content that begins with `{{` is read as JSON, anything else as TOML"
            )),
            Error::Invalid { .. } => Some("every setting is described in `docs/configuration.md`".into()),
        }
    }

    /// The settings at fault, one by one; empty if the file as a whole cannot be read.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Error::Invalid { problems } => problems,
            _ => &[],
        }
    }
}

/// Other configurations in the folder, as the beginning of a hint.
fn beside(there: &[String], is_near: bool) -> String {
    const SHOWN_MAX: usize = 5;
    let names = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match there {
        [] => String::new(),
        [near, ..] if is_near => format!("did you mean `{near}`? Else "),
        [one] => format!("`{one}` is there; "),
        more if more.len() > SHOWN_MAX => format!("{} and others are there; ", names(&more[..SHOWN_MAX])),
        some => format!("{} are there; ", names(some)),
    }
}

/// One thing to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting's path, `aggregate.window`; of a rule about two settings, the one that is more likely to be wrong.
    pub setting: String,
    /// Where the value was given; `None` for a default.
    pub origin: Option<Origin>,
    /// The whole sentence, which names the setting and its origin.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    File { path: PathBuf, line: Option<usize> },
    Env { name: String },
    Set,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line: Some(line) } => write!(f, "`{}` line {line}", path.display()),
            Origin::File { path, line: None } => write!(f, "`{}`", path.display()),
            Origin::Env { name } => write!(f, "the environment variable `{name}`"),
            Origin::Set => f.write_str("`--set`"),
        }
    }
}

fn list(problems: &[Problem]) -> String {
    match problems {
        [one] => one.message.clone(),
        many => {
            let lines: Vec<String> = many.iter().map(|p| format!("  - {}", p.message)).collect();
            format!("the configuration has {} problems:\n{}", many.len(), lines.join("\n"))
        }
    }
}
