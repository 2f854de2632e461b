//! The list of commands in `atalaia --help`, by what one wants to do. A parser has one list of commands; this one has headings.

use std::fmt::Write as _;

use clap::Command;

use crate::terminal;

/// What one wants to do, and what does it. A command that is in no group fails a test.
pub(super) const GROUPS: [(&str, &[&str]); 5] = [
    ("First steps", &["demo", "init", "validate", "preview", "estimate", "simulate"]),
    ("Work", &["run", "score", "top", "health", "state"]),
    ("Models", &["train", "models"]),
    ("Results", &["report", "eval", "explain"]),
    ("Shell", &["completions", "man", "help"]),
];

/// No wider than the other help.
const WIDTH_MAX: usize = 100;

/// Puts the groups in place of the one list.
pub(super) fn arrange(command: Command) -> Command {
    let width = terminal::width().map_or(WIDTH_MAX, |width| usize::from(width).min(WIDTH_MAX));
    let list = list(&command, width);
    let template = format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{list}{{options}}{{after-help}}");
    let heading = command.get_styles().get_header();
    let template = template.replace("{options}", &format!("{heading}Options:{heading:#}\n{{options}}"));
    command.help_template(template)
}

fn list(command: &Command, width: usize) -> String {
    let styles = command.get_styles();
    let (heading, literal) = (styles.get_header(), styles.get_literal());
    let names = GROUPS.iter().flat_map(|(_, names)| *names);
    let column = names.map(|name| name.len()).max().unwrap_or_default();
    let mut list = String::new();
    for (group, names) in GROUPS {
        // Writing to a text cannot fail.
        let _ = writeln!(list, "{heading}{group}:{heading:#}");
        for name in names {
            let about = match command.find_subcommand(name).and_then(Command::get_about) {
                Some(about) => about.to_string(),
                None if *name == "help" => "Says more of a command".to_owned(),
                None => continue,
            };
            let indent = column + 4;
            let about = wrapped(&about, width.saturating_sub(indent), indent);
            let _ = writeln!(list, "  {literal}{name}{literal:#}{:blank$}  {about}", "", blank = column - name.len());
        }
        list.push('\n');
    }
    list
}

/// Lines of at most this width, the further ones behind the indent.
fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let mut lines = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            let _ = write!(lines, "\n{:indent$}", "");
            used = 0;
        }
        if used > 0 {
            lines.push(' ');
            used += 1;
        }
        lines.push_str(word);
        used += length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_in_one_group() {
        let command = crate::cli::command();
        for own in command.get_subcommands() {
            let groups = GROUPS.iter().filter(|(_, names)| names.contains(&own.get_name())).count();
            assert_eq!(groups, 1, "`{}` stands in so many groups of `src/cli/overview.rs`", own.get_name());
        }
    }

    #[test]
    fn what_does_not_fit_goes_on_below() {
        assert_eq!(wrapped("one two three four", 9, 2), "one two\n  three\n  four");
        assert_eq!(wrapped("unbreakable", 3, 2), "unbreakable");
    }
}
