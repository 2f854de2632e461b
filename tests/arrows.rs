//! The arrows between the crates, and what the pure crates leave alone. A new arrow is a decision: change the table here with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each crate of the workspace with those that it may name.
const MAY_NAME: [(&str, &[&str]); 10] = [
    ("types", &[]),
    ("store", &["types"]),
    ("ingest", &["types", "store"]),
    ("aggregate", &["types"]),
    ("score", &["types", "store"]),
    ("sink", &["types", "store"]),
    ("forward", &["types", "store"]),
    // Judges the event hubs source from outside: it shares nothing with it.
    ("tests/event-hubs", &[]),
    ("config", &["types", "store", "ingest", "aggregate", "score", "sink", "forward"]),
    (".", &["types", "store", "ingest", "aggregate", "score", "sink", "forward", "config"]),
];

/// What a pure crate neither depends on nor calls: clocks, files, networks, threads, chance.
const EFFECTS: [&str; 14] = [
    "tokio",
    "futures",
    "object_store",
    "rdkafka",
    "rand",
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "std::io",
    "SystemTime",
    "Instant",
    "Timestamp::now",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), fs::read_to_string(&path).expect("sources are text")));
        }
    }
    found
}

/// Without comments, and without what only tests see.
fn code(text: &str) -> String {
    let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..tests].lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

fn is_test(path: &Path) -> bool {
    path.components()
        .any(|part| ["tests", "tests.rs", "testing.rs", "contract.rs"].iter().any(|t| part.as_os_str() == *t))
}

/// The crate is used in a path: `name::`, but not `other::name::` or `some_name::`.
fn names(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    code.match_indices(&path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

fn manifest(folder: &str) -> String {
    fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("every crate has a manifest")
}

/// The names below `[dependencies]`, `[dev-dependencies]`, `[build-dependencies]`, plain or by target.
fn dependencies(manifest: &str, with_tests: bool) -> BTreeSet<String> {
    let mut within = false;
    let mut found = BTreeSet::new();
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            let for_tests = section.ends_with("dev-dependencies");
            within =
                section.ends_with("dependencies") && !section.starts_with("workspace") && (with_tests || !for_tests);
        } else if within && let Some((name, _)) = line.split_once(['.', '=', ' ']) {
            found.insert(name.trim().to_owned());
        }
    }
    found
}

#[test]
fn every_crate_has_its_place_in_the_table() {
    let manifest = manifest(".");
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).expect("members on one line");
    let members: BTreeSet<&str> =
        members.trim_matches(['[', ']']).split(',').map(|m| m.trim().trim_matches('"')).collect();
    let known: BTreeSet<&str> = MAY_NAME.iter().map(|(name, _)| *name).collect();
    // Measuring tools may look at everything.
    let unknown: Vec<_> = members.difference(&known).filter(|name| !name.starts_with("bench")).collect();
    assert!(unknown.is_empty(), "{unknown:?} have no line in MAY_NAME of tests/arrows.rs");
}

#[test]
fn crates_depend_only_along_the_arrows() {
    let ours: BTreeSet<&str> = MAY_NAME.iter().map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    for (name, allowed) in MAY_NAME {
        for dependency in dependencies(&manifest(name), true) {
            if ours.contains(dependency.as_str()) && !allowed.contains(&dependency.as_str()) {
                wrong.push(format!("{name}/Cargo.toml names `{dependency}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "against the arrows types <- store <- stages <- config <- binary:\n{}", wrong.join("\n"));
}

#[test]
fn sources_name_only_crates_along_the_arrows() {
    let ours: BTreeSet<&str> = MAY_NAME.iter().map(|(name, _)| *name).filter(|name| *name != ".").collect();
    let mut wrong: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (name, allowed) in MAY_NAME.iter().filter(|(name, _)| *name != ".") {
        let own_modules: BTreeSet<String> = sources(&root().join(name).join("src"))
            .iter()
            .filter_map(|(path, _)| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect();
        for (path, text) in sources(&root().join(name)) {
            let code = code(&text);
            for other in &ours {
                // A module of the crate may be called like a crate, as `run::metrics` may.
                let foreign = other != name && !allowed.contains(other) && !own_modules.contains(*other);
                if foreign && names(&code, other) {
                    wrong.entry(path.display().to_string()).or_default().insert(other);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "against the arrows types <- store <- stages <- config <- binary: {wrong:#?}");
}

#[test]
fn windows_know_no_clock_no_files_and_no_network() {
    let named = dependencies(&manifest("aggregate"), false);
    let mut wrong: Vec<String> = EFFECTS
        .iter()
        .filter(|effect| named.contains(**effect))
        .map(|effect| format!("depends on `{effect}`"))
        .collect();
    for (path, text) in sources(&root().join("aggregate/src")) {
        if is_test(path.strip_prefix(root()).unwrap()) {
            continue;
        }
        let code = code(&text);
        let found = EFFECTS.iter().filter(|effect| match effect.contains("::") {
            true => code.contains(**effect),
            false => code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == **effect),
        });
        wrong.extend(found.map(|effect| format!("{} names `{effect}`", path.display())));
    }
    assert!(wrong.is_empty(), "`aggregate` is pure:\n{}", wrong.join("\n"));
}

#[test]
fn shared_nouns_stay_free_of_effects_and_heavy_dependencies() {
    let allowed = ["humantime", "jiff", "schemars", "serde", "serde_json", "smallvec", "thiserror"];
    let named = dependencies(&manifest("types"), false);
    let heavy: Vec<_> = named.iter().filter(|name| !allowed.contains(&name.as_str())).collect();
    assert!(heavy.is_empty(), "`types` is what every crate compiles first, and has come to need {heavy:?}");
}

#[test]
fn the_check_sees_what_it_must_see() {
    assert!(names("use ingest::Source;", "ingest"));
    assert!(names("fn f(x: sink::Commit)", "sink"));
    assert!(!names("crate::sink::x", "sink") && !names("my_sink::x", "sink") && !names("let sink: u8", "sink"));
    assert!(!code("// ingest::Source\nlet x = 1; // sink::Sink").contains("::"));
    let manifest =
        "[dependencies]\ntypes.workspace = true\n[dev-dependencies]\nrand = \"1\"\n[lints]\nworkspace = true\n";
    assert_eq!(dependencies(manifest, false), BTreeSet::from(["types".to_owned()]));
    assert!(dependencies(manifest, true).contains("rand"));
}
