//! The program, and the tree of its commands.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The program with these arguments, by itself: no configuration, no colours, nothing to read.
pub(crate) fn atalaia(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atalaia"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    atalaia(arguments).output().expect("the program runs")
}

/// Another program that judges; `scripts/need test` installs or names it.
pub(crate) fn judge(program: &str) -> Command {
    let found = Command::new("which").arg(program).output().is_ok_and(|found| found.status.success());
    assert!(found, "there is no `{program}`: please run scripts/need test");
    Command::new(program)
}

/// A command and those above it, as `atalaia models list`.
pub(crate) struct Named {
    pub(crate) path: Vec<String>,
    pub(crate) command: clap::Command,
}

impl Named {
    pub(crate) fn name(&self) -> String {
        self.path.join(" ")
    }
}

/// The program itself, and all commands below it, in the order of help; not `help`, which clap makes.
pub(crate) fn commands() -> Vec<Named> {
    fn below(command: &clap::Command, path: &[String], found: &mut Vec<Named>) {
        let path: Vec<String> = path.iter().cloned().chain([command.get_name().to_owned()]).collect();
        found.push(Named { path: path.clone(), command: command.clone() });
        for own in command.get_subcommands().filter(|own| own.get_name() != "help") {
            below(own, &path, found);
        }
    }
    let mut command = atalaia::cli::command();
    command.build();
    let mut found = Vec::new();
    below(&command, &[], &mut found);
    found
}

/// What stands behind the options of a help text: `Heading:` and its lines, without their indent.
pub(crate) fn sections(command: &clap::Command) -> Vec<(String, Vec<String>)> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("  "), line.strip_suffix(':')) {
            (Some(line), _) => sections.last_mut().expect("a heading first").1.push(line.to_owned()),
            (None, Some(heading)) => sections.push((heading.to_owned(), Vec::new())),
            (None, None) if line.is_empty() => {}
            (None, None) => sections.push((String::new(), vec![line.to_owned()])),
        }
    }
    sections
}
