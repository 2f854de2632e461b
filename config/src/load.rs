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

impl Loaded {
    /// Where a setting was given; none if it has its default.
    #[must_use]
    pub fn origin(&self, setting: &str) -> Option<&Origin> {
        self.origins.get(setting)
    }
}

/// Reads, merges and checks a configuration that is to be run.
///
/// # Errors
/// If the file cannot be read, if settings are unknown or of the wrong type, or at odds with each other: all of that at once.
pub fn load(sources: Sources) -> Result<Loaded, Error> {
    let merged = Merged::of(&sources)?;
    if !merged.problems.is_empty() {
        return Err(Error::Invalid { problems: merged.all_problems() });
    }
    let loaded = merged.typed()?;
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
    let merged = Merged::of(&sources)?;
    if merged.problems.is_empty() { merged.typed() } else { Err(Error::Invalid { problems: merged.problems }) }
}

/// File, environment and `--set` as one tree, and what of it is no setting or of the wrong type.
struct Merged {
    tree: Tree,
    problems: Vec<Problem>,
}

impl Merged {
    fn of(sources: &Sources) -> Result<Merged, Error> {
        let root = Node::root(&SCHEMA);
        let mut tree = match &sources.file {
            Some(path) => file::read(path)?,
            None => Tree::new(),
        };
        let mut problems = Vec::new();
        apply_env(&mut tree, root, &sources.env, &mut problems);
        apply_set(&mut tree, root, &sources.set, &mut problems);
        problems.extend(check(&mut tree, root));
        Ok(Merged { tree, problems })
    }

    fn typed(self) -> Result<Loaded, Error> {
        let mut config =
            typed(&self.tree, Node::root(&SCHEMA)).map_err(|problem| Error::Invalid { problems: vec![problem] })?;
        // Two pipelines in one group would halve the partitions between them.
        if config.ingest.kafka.group.is_empty() {
            config.ingest.kafka.group.clone_from(&config.pipeline);
        }
        Ok(Loaded { config, warnings: Vec::new(), origins: origins(self.tree) })
    }

    /// Also what the rules say of the settings that are right: whoever mends a file wants to hear of everything. What follows
    /// from a setting that is wrong would only mislead.
    fn all_problems(self) -> Vec<Problem> {
        let Merged { mut tree, mut problems } = self;
        let root = Node::root(&SCHEMA);
        // Each turn takes away what it complained of, so there is an end to them.
        let config = loop {
            tree.leave_out(&|path| problems.iter().any(|problem| problem.setting == path.to_string()));
            match typed(&tree, root) {
                Ok(config) => break config,
                Err(problem) if problems.iter().any(|known| known.setting == problem.setting) => return problems,
                Err(problem) => problems.push(problem),
            }
        };
        let origins = origins(tree);
        let names = |text: &str, setting: &str| text.contains(&format!("`{setting}`"));
        let follows = |found: &Problem| {
            problems.iter().any(|wrong| {
                let brief = wrong.setting.rsplit('.').next().unwrap_or(&wrong.setting);
                let is_named = names(&found.message, &wrong.setting) || names(&found.message, brief);
                // Or it is what was meant by a setting that is unknown.
                found.setting == wrong.setting || is_named || names(&wrong.message, &found.setting)
            })
        };
        let by_rules: Vec<Problem> = validate(&config).problems.into_iter().filter(|found| !follows(found)).collect();
        problems.extend(by_rules.into_iter().map(|problem| locate(problem, &origins)));
        problems
    }
}

fn origins(tree: Tree) -> BTreeMap<String, Origin> {
    tree.into_origins().into_iter().map(|(path, origin)| (path.to_string(), origin)).collect()
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
    Config::deserialize(deserializer).map(with_group).map_err(|error| {
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

/// Two pipelines in one group would halve the partitions between them.
fn with_group(mut config: Config) -> Config {
    if config.ingest.kafka.group.is_empty() {
        config.ingest.kafka.group.clone_from(&config.pipeline);
    }
    config
}
