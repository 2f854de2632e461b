//! One version everywhere.

use std::fs;

use crate::support::{root, run};

fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

#[test]
fn everything_that_names_the_version_names_the_same_one() {
    let version = env!("CARGO_PKG_VERSION");
    let cases = [
        ("Cargo.toml", format!("\nversion = \"{version}\"")),
        ("fuzz/Cargo.toml", format!("\nversion = \"{version}\"")),
        ("deploy/helm/atalaia/Chart.yaml", format!("\nversion: {version}\n")),
        ("deploy/helm/atalaia/Chart.yaml", format!("\nappVersion: \"{version}\"")),
        ("Dockerfile", format!("\nARG VERSION={version}\n")),
        ("deploy/kubernetes/retrain.yaml", format!("image: atalaia:{version}\n")),
        ("deploy/azure/main.bicep", format!("atalaia:{version}.")),
        ("docs/api.md", format!("\"version\": \"{version}\"")),
        ("CHANGELOG.md", format!("\n## {version}")),
    ];
    for (path, named) in cases {
        assert!(file(path).contains(&named), "{path} does not say `{}`", named.trim());
    }
    let manifest = file("Cargo.toml");
    for line in manifest.lines().filter(|line| line.contains("package = \"atalaia-") && !line.contains("tests/")) {
        assert!(line.contains(&format!("version = \"{version}\"")), "{line}");
    }
}

#[test]
fn the_program_says_which_it_is() {
    let short = run(&["-V"]);
    assert_eq!(String::from_utf8_lossy(&short.stdout), format!("atalaia {}\n", env!("CARGO_PKG_VERSION")));
    let long = String::from_utf8(run(&["--version"]).stdout).unwrap();
    let lines: Vec<Vec<&str>> = long.lines().map(|line| line.split_whitespace().collect()).collect();
    let names: Vec<&str> = lines.iter().map(|words| words[0]).collect();
    assert_eq!(names, ["atalaia", "commit", "target", "build", "librdkafka"], "{long}");
    assert!(lines.iter().all(|words| words.len() == 2), "{long}");
}
