//! `atalaia completions`: what a shell needs to complete commands and options.

use std::process::ExitCode;

use clap_complete::Shell;

use super::output::Output;
use crate::cli;

/// Prints the script that makes a shell complete commands and options
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  source <(atalaia completions bash)        # this shell only
  atalaia completions bash > ~/.local/share/bash-completion/completions/atalaia
  atalaia completions zsh > ~/.zfunc/_atalaia
  atalaia completions fish > ~/.config/fish/completions/atalaia.fish

Where shells look for it (start the shell anew after that):
  bash        ~/.local/share/bash-completion/completions/atalaia; needs the package bash-completion
  zsh         _atalaia in a folder of $fpath: `fpath+=~/.zfunc` before `compinit` in ~/.zshrc
  fish        ~/.config/fish/completions/atalaia.fish
  powershell  any file that your $PROFILE reads with `. FILE`
  elvish      ~/.config/elvish/lib/atalaia.elv, with `use atalaia` in rc.elv")]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli::command(), "atalaia", &mut script);
    let mut out = Output::new();
    out.line(String::from_utf8_lossy(&script).trim_end());
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}
