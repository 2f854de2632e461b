//! `docs/cli.md` is what `--help` says, of all commands: made from the parser, so that it cannot say anything else.
//!
//! The first part, which no parser knows, stands beside this file.

use std::fmt::Write as _;
use std::fs;

use clap::builder::StyledStr;
use clap::{Arg, ArgAction};

use crate::support::{Named, commands, root, sections};

const PAGE: &str = "docs/cli.md";

#[test]
fn the_page_is_current() {
    let path = root().join(PAGE);
    let wanted = page();
    if std::env::var_os("ATALAIA_BLESS").is_some() {
        fs::write(&path, &wanted).expect("the page can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{PAGE} is not what help says; `ATALAIA_BLESS=1 cargo test --test cli` rewrites it");
}

#[test]
fn what_prints_json_is_in_the_table() {
    let text = page();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    for named in commands() {
        let prints = named.command.get_arguments().any(|arg| {
            arg.get_id() == "format" && arg.get_possible_values().iter().any(|value| value.get_name() == "json")
        });
        let name = named.path[1..].join(" ");
        let is_told = rows.iter().any(|row| row.starts_with(&format!("| `{name}` | ")));
        assert_eq!(is_told, prints, "`{name}` in the table of tests/cli/reference.txt");
    }
}

fn page() -> String {
    let mut page = include_str!("reference.txt").to_owned();
    for named in commands() {
        section(&mut page, &named);
    }
    page
}

fn section(page: &mut String, named: &Named) {
    let Named { path, command } = named;
    let level = "#".repeat(path.len().min(2) + 1);
    let about = command.get_long_about().or(command.get_about()).map(StyledStr::to_string).unwrap_or_default();
    // Writing to a text cannot fail.
    let _ = write!(page, "\n{level} `{}`\n\n{}\n", named.name(), sentences(&about));
    let usage = command.clone().render_usage().to_string();
    let _ = write!(page, "\n```text\n{}\n```\n", usage.trim_start_matches("Usage: ").trim());
    // Of the program itself and of groups of commands.
    let below: Vec<&clap::Command> = command.get_subcommands().filter(|own| own.get_name() != "help").collect();
    if !below.is_empty() {
        page.push('\n');
    }
    for own in below {
        let name = format!("{} {}", named.name(), own.get_name());
        let about = own.get_about().map(StyledStr::to_string).unwrap_or_default();
        let _ = writeln!(page, "- [`{name}`](#{}): {about}", name.replace(' ', "-"));
    }
    options(page, command, path.len() == 1);
    for (heading, lines) in sections(command) {
        let language = if heading == "Examples" { "sh" } else { "text" };
        match heading.as_str() {
            "" => _ = write!(page, "\n{}\n", lines.join("\n")),
            _ => _ = write!(page, "\n**{heading}**\n\n```{language}\n{}\n```\n", lines.join("\n").trim_end()),
        }
    }
}

/// Arguments, then options by their headings. What every command takes is told once, of the program.
fn options(page: &mut String, command: &clap::Command, is_program: bool) {
    let is_shown = |arg: &&Arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str());
    let args: Vec<&Arg> =
        command.get_arguments().filter(is_shown).filter(|arg| is_program || !arg.is_global_set()).collect();
    let mut headings: Vec<&str> = Vec::new();
    for arg in &args {
        let heading = heading(arg);
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for wanted in headings {
        let _ = write!(page, "\n**{wanted}**\n\n");
        args.iter().filter(|arg| heading(arg) == wanted).for_each(|arg| option(page, arg));
    }
}

fn heading(arg: &Arg) -> &str {
    let plain = if arg.is_positional() { "Arguments" } else { "Options" };
    arg.get_help_heading().unwrap_or(plain)
}

fn option(page: &mut String, arg: &Arg) {
    let mut name = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (None, Some(long)) => format!("--{long}"),
        _ => String::new(),
    };
    let takes_value = arg.get_action().takes_values();
    for value in arg.get_value_names().unwrap_or_default().iter().filter(|_| takes_value) {
        let _ = write!(name, "{}<{value}>", if name.is_empty() { "" } else { " " });
    }
    let help = arg.get_long_help().or(arg.get_help()).map(StyledStr::to_string).unwrap_or_default();
    let _ = write!(page, "- `{name}`: {}", sentence(&help));
    if matches!(arg.get_action(), ArgAction::Append) && !help.contains("several") {
        page.push_str(" May be given several times.");
    }
    if arg.is_required_set() {
        page.push_str(" Required.");
    }
    let defaults: Vec<String> = arg.get_default_values().iter().map(|value| value.to_string_lossy().into()).collect();
    if takes_value && !defaults.is_empty() {
        let _ = write!(page, " Default: `{}`.", defaults.join(","));
    }
    let values = arg.get_possible_values();
    let values = || values.iter().filter(|value| takes_value && !value.is_hide_set());
    if values().next().is_some() && values().all(|value| value.get_help().is_none()) {
        let names: Vec<String> = values().map(|value| format!("`{}`", value.get_name())).collect();
        let _ = writeln!(page, " One of {}.", names.join(", "));
        return;
    }
    page.push('\n');
    for value in values() {
        let help = value.get_help().map(|help| sentence(&help.to_string())).unwrap_or_default();
        let _ = writeln!(page, "  - `{}`: {help}", value.get_name());
    }
}

/// Paragraphs, each a sentence at least.
fn sentences(text: &str) -> String {
    text.split("\n\n").map(sentence).collect::<Vec<_>>().join("\n\n")
}

/// In one line, with a full stop; what a page would take for a tag is text.
fn sentence(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('<', "&lt;");
    if text.ends_with(['.', '`']) && !text.ends_with('`') { text } else { format!("{text}.") }
}
