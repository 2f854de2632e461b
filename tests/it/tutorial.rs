//! The tutorial is true: its commands run in the order of the page, and print what the page shows.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{services, wait};

/// A block of the page, and the line of its fence.
struct Block<'a> {
    line: usize,
    language: &'a str,
    text: String,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for (number, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => found.push(block),
            (Some(language), None) => open = Some(Block { line: number + 1, language, text: String::new() }),
            (None, Some(mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    found
}

/// What a block of commands prints, both streams together; it has to end well. Other tests have ports, too: only these are not
/// as the page says.
fn run(block: &Block<'_>, folder: &Path, python: &str, status_port: u16) -> String {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_atalaia"));
    let programs = program.parent().expect("it lies in a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(programs).chain(std::env::split_paths(&path))).expect("a path");
    let text = block.text.replace(":9465", &format!(":{status_port}"));
    let (program, script) = match block.language {
        "sh" => ("bash", format!("set -euo pipefail\nexec 2>&1\n{text}")),
        _ => (python, text),
    };
    let mut command = Command::new(program);
    command.args(["-c", &script]).current_dir(folder).env("PATH", path).env("ATALAIA__TELEMETRY__METRICS", "off");
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("cannot run `{program}`: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docs/tutorial.md:{}: {}\n{said}", block.line, output.status);
    said
}

/// Whether a printed line is as the page shows it; spaces count as one, `…` is anything.
fn shown(pattern: &str, line: &str) -> bool {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let pattern = pattern.split_whitespace().collect::<Vec<_>>().join(" ");
    let parts: Vec<&str> = pattern.split('…').map(str::trim).collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    if parts.len() == 1 {
        return line == *first;
    }
    let mut rest = line.as_str();
    line.starts_with(first)
        && line.ends_with(last)
        && parts.iter().all(|part| rest.split_once(part).map(|(_, after)| rest = after).is_some())
}

#[test]
fn lines_are_compared_as_the_page_shows_them() {
    for (pattern, line, is) in [
        ("a b", "a    b", true),
        ("a b", "a b c", false),
        ("a …", "a b c", true),
        ("… b …", "a b c", true),
        ("… b …", "a c", false),
        ("…c…b…", "b c", false),
    ] {
        assert_eq!(shown(pattern, line), is, "`{pattern}` on `{line}`");
    }
}

#[test]
fn each_block_does_what_the_page_says() {
    let Some(python) = services::address("ATALAIA_TEST_PYTHON", "Python with the judges") else { return };
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/tutorial.md")).expect("a page");
    let folder = tempfile::tempdir().expect("a folder");
    let status_port = wait::free_port();
    let mut said = None;
    let (mut ran, mut compared) = (0, 0);
    for block in blocks(&page) {
        match block.language {
            "sh" | "python" => {
                said = Some(run(&block, folder.path(), &python, status_port));
                ran += 1;
            }
            // What stands below a block of commands is what it prints; without one it is for reading.
            "text" => {
                let Some(said) = said.take() else { continue };
                for pattern in block.text.lines() {
                    let found = said.lines().any(|line| shown(pattern, line));
                    assert!(found, "docs/tutorial.md:{}: `{pattern}` is not in\n{said}", block.line);
                    compared += 1;
                }
            }
            other => panic!("docs/tutorial.md:{}: nobody runs `{other}`", block.line),
        }
    }
    assert!(ran >= 14 && compared >= 20, "{ran} blocks ran, {compared} lines were compared");
}
