//! What the pages say about the repository is so: links and anchors lead somewhere, recipes and commands exist, the book has
//! every page.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every page that people read: at the root, in `docs/`, and the READMEs beside the code.
fn pages() -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&root(), 0, &mut found);
    found.sort();
    assert!(!found.is_empty(), "there are pages");
    found
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let hidden = name.starts_with('.') || name == "target" || name == "node_modules";
        if path.is_dir() && !hidden && depth < 4 {
            collect(&path, depth + 1, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let shown = path.strip_prefix(root()).expect("below the root").display().to_string();
            found.push((shown, fs::read_to_string(&path).expect("pages are text")));
        }
    }
}

/// Targets of `[text](target)` outside code.
fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_block = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        for rest in prose.split("](").skip(1) {
            if let Some((target, _)) = rest.split_once(')') {
                found.push(target.trim_matches(['<', '>']).to_owned());
            }
        }
    }
    found
}

/// Inline code and the lines of code blocks.
fn code(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_block = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            found.push(line.trim().to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(|text| text.trim().to_owned()));
        }
    }
    found
}

/// What can be linked to in a page: its headings, as GitHub and mdBook make anchors of them.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut in_block = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        let Some((marks, heading)) = line.split_once("# ") else { continue };
        if in_block || marks.chars().any(|c| c != '#') {
            continue;
        }
        // Of a link its text counts.
        let mut parts = heading.split("](");
        let mut shown = parts.next().unwrap_or_default().to_lowercase();
        for part in parts {
            shown += &part.split_once(')').map_or(part, |(_, rest)| rest).to_lowercase();
        }
        let kept = shown.replace(' ', "-");
        let anchor: String = kept.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
        let mut name = anchor.clone();
        for number in 1.. {
            if found.insert(name) {
                break;
            }
            name = format!("{anchor}-{number}");
        }
    }
    found
}

#[test]
fn anchors_that_pages_link_to_exist() {
    let pages: BTreeMap<PathBuf, String> = pages().into_iter().map(|(page, text)| (root().join(page), text)).collect();
    let mut broken = Vec::new();
    for (page, text) in &pages {
        for target in links(text) {
            let Some((path, anchor)) = target.split_once('#').filter(|_| !target.contains("://")) else { continue };
            let file = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let file = file.canonicalize().unwrap_or(file);
            if pages.get(&file).is_some_and(|text| !anchors(text).contains(anchor)) {
                broken.push(format!("{}: `{target}`", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links to headings that are not there:\n{}", broken.join("\n"));
}

#[test]
fn the_book_has_every_page_once() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).expect("the book has a table of contents");
    let mut listed: Vec<String> = links(&summary).into_iter().map(|target| format!("docs/{target}")).collect();
    listed.sort();
    let there = pages().into_iter().map(|(page, _)| page);
    let there: Vec<_> = there.filter(|page| page.starts_with("docs/") && page != "docs/SUMMARY.md").collect();
    assert_eq!(listed, there, "docs/SUMMARY.md lists other pages than docs/ has");
}

#[test]
fn configurations_that_come_along_are_consistent() {
    let mut checked = 0;
    for folder in ["config", "examples"] {
        for entry in fs::read_dir(root().join(folder)).expect("a folder").flatten() {
            let path = entry.path();
            let is_toml = path.extension().is_some_and(|extension| extension == "toml");
            if is_toml && path.file_name() != Some("Cargo.toml".as_ref()) {
                let command = Command::new(env!("CARGO_BIN_EXE_atalaia")).arg("validate").arg("-c").arg(&path).output();
                let output = command.expect("the binary runs");
                assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stdout));
                checked += 1;
            }
        }
    }
    assert!(checked >= 3, "{checked} configurations were checked");
}

#[test]
fn links_within_the_repository_lead_somewhere() {
    let mut broken = Vec::new();
    for (page, text) in pages() {
        for target in links(&text) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let from = root().join(&page);
            if !from.parent().unwrap().join(path).exists() {
                broken.push(format!("{page}: `{target}`"));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn files_that_pages_name_exist() {
    let folders = ["config/", "docs/", "scripts/", "deploy/", "tests/", "src/", "bench/"];
    let mut missing = BTreeSet::new();
    for (page, text) in pages() {
        for word in code(&text).iter().flat_map(|code| code.split_whitespace()) {
            let word = word.trim_matches(['"', '\'', ',', ';', ':', '(', ')']).trim_end_matches('.');
            let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
            let beside = root().join(&page).parent().unwrap().join(word);
            if plain
                && folders.iter().any(|folder| word.starts_with(folder))
                && !root().join(word).exists()
                && !beside.exists()
            {
                missing.insert(format!("{page}: `{word}`"));
            }
        }
    }
    let missing: Vec<_> = missing.into_iter().collect();
    assert!(missing.is_empty(), "pages name files that are not there:\n{}", missing.join("\n"));
}

#[test]
fn recipes_that_pages_name_exist() {
    let Ok(makefile) = fs::read_to_string(root().join("Makefile")) else { panic!("there is a Makefile") };
    let recipes: BTreeSet<&str> = makefile
        .lines()
        .filter(|line| !line.starts_with(['\t', '.', '#', ' ']))
        .filter_map(|line| line.split_once(':').map(|(name, _)| name.trim()))
        .collect();
    let mut missing = Vec::new();
    for (page, text) in pages() {
        for command in code(&text) {
            if let Some(recipe) = command.strip_prefix("make ").and_then(|rest| rest.split_whitespace().next())
                && recipe.chars().all(|c| c.is_ascii_lowercase() || c == '-')
                && !recipe.starts_with('-')
                && !recipes.contains(recipe)
            {
                missing.push(format!("{page}: `make {recipe}`"));
            }
        }
    }
    assert!(missing.is_empty(), "pages name recipes that the Makefile does not have:\n{}", missing.join("\n"));
}

#[test]
fn commands_and_flags_that_pages_name_exist() {
    let mut wrong = BTreeSet::new();
    // Pages name the same commands over and over.
    let mut helps: BTreeMap<String, Option<String>> = BTreeMap::new();
    for (page, text) in pages() {
        for line in code(&text) {
            let Some(command) = line.strip_prefix("$ ").unwrap_or(&line).strip_prefix("atalaia ") else { continue };
            // What follows a pipe or a comment is another program's.
            let words: Vec<&str> =
                command.split_whitespace().take_while(|word| !["|", "#", ">", "&&", ";", "…"].contains(word)).collect();
            let is_name =
                |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-');
            let Some(name) = words.first().filter(is_name) else { continue };
            let mut path = vec![*name];
            path.extend(words.get(1).filter(|_| ["models", "state"].contains(name)).filter(is_name));
            match helps.entry(path.join(" ")).or_insert_with(|| help(&path)) {
                None => drop(wrong.insert(format!("{page}: `atalaia {}`", path.join(" ")))),
                Some(help) => {
                    for flag in words.iter().filter(|word| word.starts_with("--")) {
                        let flag = flag.split('=').next().unwrap_or_default().trim_end_matches([',', ';', '.']);
                        let known =
                            help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).any(|word| word == flag);
                        if !known {
                            wrong.insert(format!("{page}: `atalaia {} {flag}`", path.join(" ")));
                        }
                    }
                }
            }
        }
    }
    let wrong: Vec<_> = wrong.into_iter().collect();
    assert!(wrong.is_empty(), "pages name commands or flags that the program does not have:\n{}", wrong.join("\n"));
}

/// What the program says about a command; none if it has no such command.
fn help(path: &[&str]) -> Option<String> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_atalaia")).args(path).arg("--help").output().expect("the binary runs");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_checks_see_what_they_must_see() {
    let page =
        "See [this](docs/a.md#b), `[not](this)` and <https://x>.\n```sh\nmake up  # [no](link)\n```\nUse `make demo`.";
    assert_eq!(links(page), ["docs/a.md#b"]);
    assert_eq!(code(page), ["[not](this)", "make up  # [no](link)", "make demo"]);
    let page = "# A `b.c`, d\n```sh\n# no heading\n```\n## Late_by [here](x.md), now\n## A b.c d\n#hash\n";
    assert_eq!(anchors(page).into_iter().collect::<Vec<_>>(), ["a-bc-d", "a-bc-d-1", "late_by-here-now"]);
}
