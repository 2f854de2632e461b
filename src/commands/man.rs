//! `atalaia man`: manual pages, one a command, from the same source as `--help`.
//!
//! Options are `clap_mangen`'s to set; what stands behind them in a help text (examples, statuses, keys) is laid out by hand
//! and has to stay so, which is what is done here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Command;
use clap_mangen::Man;

use super::output::Output;
use crate::cli;

/// Prints the manual page of atalaia, or writes those of all commands into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia man | man -l -                     # read it
  atalaia man ~/.local/share/man/man1        # then: man atalaia-run
  sudo atalaia man /usr/local/share/man/man1")]
pub(crate) struct Args {
    /// Folder to write `atalaia.1`, `atalaia-run.1` and so on to; made if there is none
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut command = without_help(cli::command());
    command.build();
    let mut out = Output::new();
    match &args.folder {
        None => _ = out.line(page(&command, "atalaia")?.trim_end()),
        Some(folder) => {
            fs::create_dir_all(folder).with_context(|| format!("make the folder `{}`", folder.display()))?;
            let written = write(&command, "atalaia", folder)?;
            out.line(format_args!("{written} pages in `{}`", folder.display()));
        }
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// The command `help` is for a shell; a page says all.
fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

/// Writes the pages of the command and of those below it.
fn write(command: &Command, name: &str, folder: &Path) -> anyhow::Result<u32> {
    let file = folder.join(format!("{name}.1"));
    fs::write(&file, page(command, name)?).with_context(|| format!("write `{}`", file.display()))?;
    let mut written = 1;
    for below in command.get_subcommands() {
        written += write(below, &format!("{name}-{}", below.get_name()), folder)?;
    }
    Ok(written)
}

fn page(command: &Command, name: &str) -> anyhow::Result<String> {
    let behind = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let has_commands = command.has_subcommands();
    let man = Man::new(command.clone().display_name(name.to_owned()));
    // The date is left out, as a build has none; `clap_mangen` would put the next argument in its place.
    let title = format!(".TH {name} 1 \"\" \"atalaia {}\" Atalaia\n", env!("CARGO_PKG_VERSION"));
    let mut page = title.into_bytes();
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    man.render_options_section(&mut page)?;
    // Two breaks with nothing between them are one empty line, and readers of pages complain of them.
    let page = String::from_utf8(page).context("a page is text")?;
    let mut page = page.replace("\n.br\n\n.br\n", "\n.sp\n");
    for (heading, lines) in sections(&behind) {
        let lines: Vec<String> = lines.iter().map(|line| verbatim(line)).collect();
        page.push_str(&format!(".SH {}\n.nf\n{}\n.fi\n", heading.to_uppercase(), lines.join("\n")));
    }
    Ok(page)
}

/// What stands behind the options: `Heading:` and indented lines; what else there is are notes.
fn sections(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match (line.starts_with(' '), line.strip_suffix(':')) {
            (true, _) => sections.last_mut().into_iter().for_each(|(_, lines)| lines.push(line.trim_end())),
            (false, Some(heading)) => sections.push((heading, Vec::new())),
            (false, None) if sections.last().is_some_and(|(heading, _)| *heading == "Notes") => {
                sections.last_mut().into_iter().for_each(|(_, lines)| lines.push(line));
            }
            (false, None) => sections.push(("Notes", vec![line])),
        }
    }
    sections.retain(|(_, lines)| !lines.is_empty());
    sections
}

/// A line that a typesetter takes for nothing else.
fn verbatim(line: &str) -> String {
    let line = line.strip_prefix("  ").unwrap_or(line);
    let text = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('`', "\\(ga");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_options_becomes_sections() {
        let text = "Examples:\n  atalaia run\n    # more\n\nExit status:\n  0  done\n\nSee there.\nAnd there.";
        let expected = [
            ("Examples", vec!["  atalaia run", "    # more"]),
            ("Exit status", vec!["  0  done"]),
            ("Notes", vec!["See there.", "And there."]),
        ];
        assert_eq!(sections(text), expected);
    }

    #[test]
    fn nothing_in_a_line_is_a_command_of_the_typesetter() {
        assert_eq!(verbatim("  a -b 'c' \\"), "a \\-b \\(aqc\\(aq \\e");
        assert_eq!(verbatim(".SH"), "\\&.SH");
    }

    #[test]
    fn each_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = without_help(cli::command());
        command.build();
        let written = write(&command, "atalaia", folder.path()).unwrap();
        assert!(written > 25, "{written}");
        let page = fs::read_to_string(folder.path().join("atalaia-models-stale.1")).unwrap();
        for part in [".SH EXAMPLES\n.nf\natalaia models stale", "\\-\\-max\\-age"] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
