//! Whatever is shown as a command line, by help and by pages, is one: the program's own parser takes it as it is written.

use std::fs;
use std::path::Path;

use crate::shell::{lines, runs};
use crate::support::{commands, root, sections};

const WIDTH_MAX: usize = 100;

/// What is wrong with a command line, if something is.
fn refusal(words: &[String]) -> Option<String> {
    use clap::error::ErrorKind::{DisplayHelp, DisplayVersion};
    let error = atalaia::cli::command().try_get_matches_from(words).err()?;
    let is_asked_for = [DisplayHelp, DisplayVersion].contains(&error.kind());
    (!is_asked_for).then(|| error.to_string())
}

#[test]
fn each_command_has_examples_that_work_as_they_are_written() {
    let mut wrong = Vec::new();
    for named in commands() {
        let name = named.name();
        let examples = sections(&named.command).into_iter().find(|(heading, _)| heading == "Examples");
        let examples = examples.unwrap_or_else(|| panic!("`{name}` has no examples")).1;
        let mut own = 0;
        for line in lines(examples.iter().map(String::as_str)) {
            let found = runs(&line);
            if found.is_empty() && !line.trim_start().starts_with('#') {
                wrong.push(format!("`{name}`: `{line}` is neither a command nor a comment"));
            }
            for words in found {
                own += usize::from(words.starts_with(&named.path));
                wrong.extend(refusal(&words).map(|why| format!("`{name}`: `{line}`: {why}")));
            }
        }
        if own < 2 {
            wrong.push(format!("`{name}` has {own} examples of its own"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn command_lines_in_blocks_of_pages_are_taken_by_the_parser() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (page, text) in pages() {
        for line in lines(blocks(&text).into_iter()) {
            for words in runs(&line) {
                // Abbreviated on purpose, or to be filled in.
                if words.iter().any(|word| word.contains('…') || word.starts_with(['<', '$'])) {
                    continue;
                }
                count += 1;
                wrong.extend(refusal(&words).map(|why| format!("{page}: `{line}`: {why}")));
            }
        }
    }
    assert!(count > 50, "there are more commands in pages than {count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_help_is_wider_than_the_page() {
    for named in commands() {
        let mut command = named.command.clone().term_width(WIDTH_MAX);
        for help in [command.render_help(), command.render_long_help()] {
            let is_wide = |line: &&str| line.chars().count() > WIDTH_MAX && !line.starts_with("Usage:");
            let wide = help.to_string().lines().find(is_wide).map(str::to_owned);
            assert_eq!(wide, None, "`{}`", named.name());
        }
        let behind = sections(&named.command);
        let wide = behind.iter().flat_map(|(_, lines)| lines).find(|line| line.chars().count() > WIDTH_MAX - 2);
        assert_eq!(wide, None, "it would be wrapped: `{}`", named.name());
    }
}

/// Markdown of the repository, with what it is called.
fn pages() -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&root(), &mut found);
    found
}

fn collect(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() && !name.starts_with('.') && !["target", "node_modules"].contains(&name.as_str()) {
            collect(&path, found);
        } else if name.ends_with(".md") {
            let shown = path.strip_prefix(root()).unwrap().display().to_string();
            found.push((shown, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Lines of the blocks that a shell reads.
fn blocks(page: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut is_shell = None;
    for line in page.lines() {
        match (line.trim_start().strip_prefix("```"), is_shell) {
            (Some(language), None) => is_shell = Some(["sh", "bash", "console"].contains(&language.trim())),
            (Some(_), Some(_)) => is_shell = None,
            (None, Some(true)) => found.push(line),
            (None, _) => {}
        }
    }
    found
}
