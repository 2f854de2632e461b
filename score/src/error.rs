//! What can go wrong with models, with what to do about it.

use types::Span;

use crate::{Flaw, ModelKey, Untrained, import, registry};

/// A failure to get or to make models. `Display` is the error itself; [`Error::hint`] the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {action} `{place}`")]
    Store { action: &'static str, place: String, source: object_store::Error },
    #[error("models were not loaded within {limit}: {done} of {total} files were")]
    Timeout { limit: Span, done: usize, total: usize },
    #[error("`score.template` is `{template}`: {problem}")]
    Template { template: String, problem: &'static str },
    #[error("the name `{file}` fits `{template}` in two ways: as `{first}` and as `{second}`")]
    Ambiguous { file: String, template: String, first: Box<ModelKey>, second: Box<ModelKey> },
    #[error("no model in `{place}`: {}", none_fits(*files, template, example))]
    NoModels { place: String, template: String, files: usize, example: String },
    #[error("`{place}` holds a registry (`{registry}`) and scikit-learn files (`{file}`)")]
    Mixed { place: String, registry: String, file: String },
    #[error("two models of the key `{key}`: in `{first}` and in `{second}`")]
    Twice { key: Box<ModelKey>, first: String, second: String },
    #[error("the model file `{file}` has {bytes} bytes, at most {max} are accepted")]
    FileSize { file: String, bytes: u64, max: u64 },
    #[error("cannot use the model file `{file}`")]
    File { file: String, source: Box<import::Refused> },
    #[error("cannot use the model of `{key}` in `{file}`")]
    OneOfMany { file: String, key: Box<ModelKey>, source: Box<import::Refused> },
    #[error("the key `{key}` in `{file}` names no device and sensor")]
    ForeignKey { file: String, key: String },
    #[error("cannot use the model of `{key}` in `{file}`")]
    Model { key: Box<ModelKey>, file: String, source: Box<Flaw> },
    #[error("cannot use the registry file `{file}`")]
    Registry { file: String, source: Box<registry::Broken> },
    #[error("the manifest `{file}` cannot be used: {problem}")]
    Manifest { file: String, problem: String },
    #[error("the pointer `{file}` cannot be used: {problem}")]
    Pointer { file: String, problem: String },
    #[error("`{place}` holds no set `{set}`")]
    NoSet { set: String, place: String },
    #[error("`{id}` is no id of a set")]
    SetId { id: String },
    #[error("nothing is published in `{place}`")]
    NotPublished { place: String },
    #[error("nothing was in use before the set `{set}`")]
    NothingBefore { set: String },
    #[error("something was published in `{place}` meanwhile: its pointer has the number {newest}, it had {base}")]
    Overtaken { place: String, base: u64, newest: u64 },
    #[error("there are no models to publish")]
    NothingToPublish,
    #[error("the set `{set}` has {found} models, its manifest says {expected}")]
    Count { set: String, found: u64, expected: u64 },
    #[error(
        "the models do not fit into memory: {bytes_mib} MiB were taken by {done} of {total} files, {left_mib} MiB were left of the budget"
    )]
    Memory { bytes_mib: u64, done: usize, total: usize, left_mib: u64 },
    #[error("{count} models have more than one file: {examples}")]
    Collisions { count: usize, examples: String },
    #[error("line {line} of the mapping `{file}`: {problem}")]
    Mapping { file: String, line: usize, problem: String },
    #[error("`{place}` holds a registry already: `{file}`")]
    Exists { place: String, file: String },
    #[error("no model could be trained for `{key}`")]
    Train { key: Box<ModelKey>, source: Box<Untrained> },
}

/// What a caller does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Wait and try again.
    Retry,
    /// The configuration or the models must change.
    Input,
}

fn none_fits(files: usize, template: &str, example: &str) -> String {
    match files {
        0 => "it is empty".to_owned(),
        files => format!("none of its {files} files fits `{template}`{example}"),
    }
}

impl Error {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Error::Store { source, .. } if may_pass(source) => Kind::Retry,
            Error::Timeout { .. } => Kind::Retry,
            _ => Kind::Input,
        }
    }

    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Store { source: object_store::Error::NotFound { .. }, .. } => {
                "check `score.models`: the folder, container or prefix must exist"
            }
            Error::Store {
                source: object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. },
                ..
            } => "check the credentials in `[storage]`: models need leave to list and to read",
            Error::Store { .. } => "check `score.models` and `[storage]`, and that the store answers",
            Error::Timeout { .. } => {
                "raise `score.load_timeout`, or turn many files into a registry with `atalaia models import`"
            }
            Error::Template { .. } => {
                "write it like `model_{device}_{sensor}` or `{device}/{sensor}/model.pkl`; for models of whole devices set `score.key = \"device\"` (`--set score.key=device`) and write it like `model_{device}`"
            }
            Error::Ambiguous { .. } => {
                "give the files names in which `{device}` and `{sensor}` are told apart, such as `{device}/{sensor}/model.pkl`, or import them into a registry"
            }
            Error::NoModels { .. } => {
                "check `score.models` and `score.template`; leave `score.models` empty to run without models"
            }
            Error::Mixed { .. } => "keep a registry's Parquet files and scikit-learn files in folders of their own",
            Error::Twice { .. } => "remove one of them: a series has one model",
            Error::FileSize { .. } => "train the model on fewer rows, or with a smaller nu",
            Error::Registry { .. } => {
                "write it again (`atalaia models publish`), go back to a set that was good (`rollback`), or set `score.on_bad_model = \"skip\"` to start without this file"
            }
            Error::Manifest { .. } | Error::Pointer { .. } | Error::NoSet { .. } | Error::Count { .. } => {
                "look at it with `atalaia models history` and `verify`; `atalaia models rollback` goes back to a set that was good"
            }
            Error::SetId { .. } => {
                "ids are letters, digits, `.`, `-` and `_`; `atalaia models history` shows those in use"
            }
            Error::NotPublished { .. } => "`atalaia models publish` makes the first set",
            Error::NothingBefore { .. } => "`atalaia models history` shows which were in use: name one of them",
            Error::Overtaken { .. } => "nothing was put to use: run again, upon what is in use now",
            Error::NothingToPublish => "check `--from`: a set of no models would leave every row without a score",
            Error::Memory { .. } => {
                "raise `run.memory_bytes_max`, give the process more memory, or train smaller models (fewer rows, a smaller nu); while models are renewed, the old set and the new one are in memory side by side"
            }
            Error::Collisions { .. } => {
                "remove all but one file of each model, or name the files that count in a `score.mapping`"
            }
            Error::Mapping { .. } => {
                "write one model a line under the header `device,sensor,file`, with file names as below `score.models`"
            }
            Error::Exists { .. } => "sets are written once: choose a prefix of their own for these models",
            Error::Train { source, .. } => match **source {
                Untrained::TooFewRows { .. } => "train on a longer history, or with narrower windows",
                _ => "check the options and the history that it was trained on",
            },
            Error::ForeignKey { .. } => {
                "make the dict's keys tuples of device and sensor, or texts like `device/sensor`, or give a template that they fit; with `score.key = \"device\"` a text may be the device itself"
            }
            Error::File { source, .. } | Error::OneOfMany { source, .. } => return Some(source.hint().into()),
            Error::Model { source, .. } => match **source {
                Flaw::Features { .. } => {
                    "set `score.features` to the statistics that the model was trained on, in their order"
                }
                Flaw::OtherKey { .. } | Flaw::OtherFeature { .. } => {
                    "set `score.key` to what the models belong to: `series` for features like `mean`, `device` for features like `temp.mean`"
                }
                Flaw::UnnamedFeatures { .. } => {
                    "set `score.features` to the features that the model was trained on, in their order, like `temp.mean`"
                }
                _ => {
                    "repair or remove the file, or leave it out: `score.on_bad_model = \"skip\"`, or `--skip-bad` of `atalaia models import`"
                }
            },
        };
        Some(hint.into())
    }
}

/// What is not a verdict of the store: also what has gone since it was listed.
fn may_pass(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::Generic { .. } | object_store::Error::JoinError { .. })
}
