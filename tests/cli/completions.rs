//! Scripts for shells, in the shells; manual pages, read by those who read them.

use std::fs;
use std::process::Command;

use crate::support::{atalaia, commands, judge, run};

/// What a shell, told by our script, offers behind these words.
const CASES: [(&str, &[&str]); 4] = [
    ("atalaia mod", &["models"]),
    ("atalaia models ro", &["rollback"]),
    ("atalaia run --until-i", &["--until-idle"]),
    ("atalaia score --close ", &["all", "due"]),
];

fn script(shell: &str) -> tempfile::NamedTempFile {
    let made = run(&["completions", shell]);
    assert!(made.status.success() && made.stdout.len() > 1000, "{shell}: {made:?}");
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), made.stdout).unwrap();
    file
}

fn output(command: &mut Command) -> Vec<String> {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_values() {
    let file = script("bash");
    let ask = r#"
        source "$1"
        complete -p atalaia >/dev/null || exit 1
        COMP_LINE=$2; COMP_POINT=${#2}; IFS=' ' read -ra COMP_WORDS <<< "$2"
        [[ $2 == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _atalaia atalaia "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}" | sort
    "#;
    for (line, expected) in CASES {
        let offered = output(Command::new("bash").args(["--norc", "-c", ask, "bash"]).arg(file.path()).arg(line));
        assert_eq!(offered, expected, "{line}");
    }
}

#[test]
fn fish_completes_commands_options_and_values() {
    let (file, home) = (script("fish"), tempfile::tempdir().unwrap());
    for (line, expected) in CASES {
        let ask = "source $argv[1]; complete -C $argv[2]";
        let mut fish = judge("fish");
        fish.env("HOME", home.path()).args(["--no-config", "-c", ask]).arg(file.path()).arg(line);
        let mut offered: Vec<String> =
            output(&mut fish).iter().filter_map(|line| line.split('\t').next().map(str::to_owned)).collect();
        offered.sort();
        assert_eq!(offered, expected, "{line}");
    }
}

#[test]
fn zsh_and_the_others_have_a_script() {
    let zsh = script("zsh");
    output(judge("zsh").arg("-n").arg(zsh.path()));
    for shell in ["powershell", "elvish"] {
        let text = fs::read_to_string(script(shell).path()).unwrap();
        assert!(text.contains("'rollback'") || text.contains("rollback "), "{shell}");
    }
    assert_eq!(run(&["completions", "tcsh"]).status.code(), Some(2));
}

#[test]
fn each_command_has_a_manual_page_without_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("man1");
    assert!(atalaia(&["man"]).arg(&place).status().unwrap().success());
    let mut pages: Vec<String> =
        fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut expected: Vec<String> = commands().iter().map(|named| format!("{}.1", named.path.join("-"))).collect();
    pages.sort();
    expected.sort();
    assert_eq!(pages, expected);
    assert_eq!(fs::read(place.join("atalaia.1")).unwrap(), run(&["man"]).stdout);
    for (program, arguments) in
        [("mandoc", &["-Tlint", "-Wwarning"][..]), ("groff", &["-Kutf8", "-Tutf8", "-man", "-ww", "-z"])]
    {
        let read = judge(program).args(arguments).args(&pages).current_dir(&place).output().unwrap();
        let said = String::from_utf8_lossy(&[read.stdout, read.stderr].concat()).into_owned();
        // A build has no date, so that it can be repeated.
        let said: Vec<&str> = said.lines().filter(|line| !line.contains("missing date")).collect();
        assert!(said.is_empty(), "{program}: {}", said.join("\n"));
    }
}
