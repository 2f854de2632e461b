//! A key that does not exist -> the one that was probably meant.

use strsim::damerau_levenshtein;

use crate::schema::{Kind, Node};
use crate::tree::Path;
use crate::{Origin, Problem};

/// Words that people bring from other systems, and what the thing is called here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("allowed_lateness", "aggregate.out_of_orderness"),
    ("bootstrap_servers", "ingest.kafka.brokers"),
    ("checkpoint_interval", "sink.commit_interval"),
    ("group_id", "ingest.kafka.group"),
    ("lateness", "aggregate.out_of_orderness"),
    ("log_level", "telemetry.log"),
    ("output", "sink.url"),
    ("timestamp", "ingest.decode.time"),
    ("width", "aggregate.window"),
];

/// The problem of a key that is not in the schema.
pub(crate) fn unknown(schema: Node<'_>, path: &Path, origin: Option<&Origin>) -> Problem {
    let place = origin.map(|origin| format!(" in {origin}")).unwrap_or_default();
    let advice = advice(schema, path).map(|advice| format!(": {advice}")).unwrap_or_default();
    Problem {
        setting: path.to_string(),
        origin: origin.cloned(),
        message: format!("unknown setting `{path}`{place}{advice}"),
    }
}

/// `near` is the word among these that `word` was probably meant to be.
#[must_use]
pub fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    // A third of the letters may be wrong, so that short words do not suggest just anything.
    let tolerance = (word.chars().count() / 3).clamp(1, 3);
    words
        .map(|other| (damerau_levenshtein(&word, other), other))
        .filter(|(distance, _)| *distance <= tolerance)
        .min()
        .map(|(_, other)| other)
}

fn advice(schema: Node<'_>, path: &Path) -> Option<String> {
    let (known, section, key) = first_unknown(schema, path)?;
    if let Some(near) = nearest(key, section.keys()) {
        return Some(format!("did you mean `{}`?", known.child(near)));
    }
    let properties = section.property("properties").is_some_and(|p| matches!(p.kind(), Kind::Map(_)));
    let properties =
        properties.then(|| format!("properties of the client library go below `{}`", known.child("properties")));
    // Such a property has a name of several parts, one of which may be a setting's elsewhere.
    if properties.is_some() && path.keys().len() > known.keys().len() + 1 {
        return properties;
    }
    let all = settings(schema);
    let last = path.keys().last()?;
    let named: Vec<String> = all.iter().filter(|p| p.keys().last() == Some(last)).map(|p| format!("`{p}`")).collect();
    if !named.is_empty() && named.len() <= 3 {
        return Some(format!("did you mean {}?", named.join(" or ")));
    }
    let plain = last.to_ascii_lowercase().replace(['.', '-'], "_");
    if let Some((_, here)) = ELSEWHERE.iter().find(|(word, _)| *word == plain) {
        return Some(format!("here it is `{here}`"));
    }
    if properties.is_some() {
        return properties;
    }
    if let Some(near) = nearest(last, all.iter().filter_map(|p| p.keys().last()).map(String::as_str)) {
        let meant = all.iter().find(|p| p.keys().last().is_some_and(|k| k == near))?;
        return Some(format!("did you mean `{meant}`?"));
    }
    let known_keys: Vec<String> = section.keys().map(|key| format!("`{key}`")).collect();
    (!known_keys.is_empty()).then(|| match known.keys() {
        [] => format!("the sections are {}", known_keys.join(", ")),
        _ => format!("`{known}` has {}", known_keys.join(", ")),
    })
}

/// The longest known beginning of a path, what stands there, and the first key that it does not have.
fn first_unknown<'a, 'p>(schema: Node<'a>, path: &'p Path) -> Option<(Path, Node<'a>, &'p str)> {
    let mut known = Path::default();
    let mut at = schema;
    for key in path.keys() {
        match at.property(key) {
            Some(next) => (known, at) = (known.child(key), next),
            None => return Some((known, at, key)),
        }
    }
    None
}

/// All settings; a type that stands in two places is listed at the first.
fn settings(schema: Node<'_>) -> Vec<Path> {
    fn walk(node: Node<'_>, at: &Path, all: &mut Vec<Path>) {
        for key in node.keys() {
            let path = at.child(key);
            let Some(child) = node.property(key) else { continue };
            // Optional sections repeat another one's settings.
            if matches!(child.kind(), Kind::Section) && !child.is_optional() {
                walk(child, &path, all);
            } else {
                all.push(path);
            }
        }
    }
    let mut all = Vec::new();
    walk(schema, &Path::default(), &mut all);
    all
}
