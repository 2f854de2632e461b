//! File < environment < `--set`: merged, checked, typed, and the rules between settings applied.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::check::{check, misfit};
use crate::file;
use crate::overrides::{apply_env, apply_set};
use crate::schema::{Kind, Node, schema};
use crate::tree::{Path, Tree};
use crate::validate::{Verdict, validate};
use crate::{Config, Error, Origin, Problem};

/// Made once: it takes far longer than reading a file, and the fuzzer reads thousands.
static SCHEMA: LazyLock<Value> = LazyLock::new(schema);

/// Where settings may come from, weakest first.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// TOML; JSON if the name ends in `.json` or the content begins with `{`.
    pub file: Option<PathBuf>,
    /// The process' environment; only names that begin with `ATALAIA__` are looked at.
    pub env: Vec<(String, String)>,
    /// `section.key=value`, as given to `--set`.
    pub set: Vec<String>,
}

/// A configuration that can be run.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    /// Settings that are allowed, but probably not what was meant.
    pub warnings: Vec<String>,
    /// Where each setting was given, by its path (`aggregate.window`); none for defaults.
    pub(crate) origins: BTreeMap<String, Origin>,
}

/// Reads, merges and checks a configuration that is to be run.
///
/// # Errors
/// As [`read`], or if settings are at odds with each other.
pub fn load(sources: Sources) -> Result<Loaded, Error> {
    let loaded = read(sources)?;
    let Verdict { problems, warnings } = validate(&loaded.config);
    if problems.is_empty() {
        return Ok(Loaded { warnings, ..loaded });
    }
    let problems = problems.into_iter().map(|problem| locate(problem, &loaded.origins)).collect();
    Err(Error::Invalid { problems })
}

/// The same without the rules between settings, for commands that need a part of them: models, credentials.
///
/// # Errors
/// If the file cannot be read, or if settings are unknown or of the wrong type: all of them at once.
pub fn read(sources: Sources) -> Result<Loaded, Error> {
    let root = Node::root(&SCHEMA);
    let mut tree = match &sources.file {
        Some(path) => file::read(path)?,
        None => Tree::new(),
    };
    let mut problems = Vec::new();
    apply_env(&mut tree, root, &sources.env, &mut problems);
    apply_set(&mut tree, root, &sources.set, &mut problems);
    problems.extend(check(&mut tree, root));
    if !problems.is_empty() {
        return Err(Error::Invalid { problems });
    }
    let mut config = typed(&tree, root).map_err(|problem| Error::Invalid { problems: vec![problem] })?;
    // Two pipelines in one group would halve the partitions between them.
    if config.ingest.kafka.group.is_empty() {
        config.ingest.kafka.group.clone_from(&config.pipeline);
    }
    let origins = tree.into_origins().into_iter().map(|(path, origin)| (path.to_string(), origin)).collect();
    Ok(Loaded { config, warnings: Vec::new(), origins })
}

/// A rule knows the settings that disagree, but not where they were given.
fn locate(mut problem: Problem, origins: &BTreeMap<String, Origin>) -> Problem {
    problem.origin = origins.get(&problem.setting).cloned();
    if let Some(origin) = &problem.origin {
        problem.message = format!("{} (given in {origin})", problem.message);
    }
    problem
}

fn typed(tree: &Tree, root: Node<'_>) -> Result<Config, Problem> {
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_path_to_error::Deserializer::new(&tree.value, &mut track);
    Config::deserialize(deserializer).map_err(|error| {
        let path: Path = track
            .path()
            .iter()
            .filter_map(|segment| match segment {
                Segment::Map { key } => Some(key.clone()),
                _ => None,
            })
            .collect();
        let kind = path.keys().iter().try_fold(root, |at, key| match at.kind() {
            Kind::Map(item) => Some(item),
            _ => at.property(key),
        });
        let what = match kind.map(Node::kind) {
            Some(Kind::Secret) => format!("expected {}", Kind::Secret.expected()),
            _ => error.to_string(),
        };
        misfit(&path, tree.origin(&path), &what)
    })
}
