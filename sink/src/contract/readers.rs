//! Other programs judge the files, and the documentation is held against the schema.

use std::collections::BTreeMap;
use std::process::Command;

use super::batch::Batch;
use super::fixture::{Bench, commit, wanted};
use crate::Dataset;

#[test]
fn pandas_polars_and_duckdb_read_folders_and_schema() {
    let Some(python) = wanted("ATALAIA_TEST_PYTHON") else { return };
    let folder = tempfile::tempdir().expect("temp folder");
    let stage = Bench::local(folder.path()).anew();
    let mut sink = stage.begun();
    commit(&mut sink, &Batch::of(600).with_refusals(9).with_runs(), 10);
    commit(&mut sink, &Batch::of(6), 20);
    let root = stage.places.predictions.local_root.as_ref().and_then(|path| path.parent()).expect("local");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/readers.py");
    let schema: BTreeMap<&str, Vec<(&str, &str)>> = Dataset::ALL
        .iter()
        .map(|dataset| (dataset.as_str(), dataset.columns().iter().map(|column| (column.name, column.kind)).collect()))
        .collect();
    let told = format!("{schema:?}").replace('(', "[").replace(')', "]");
    let output = Command::new(python).args([script, &root.display().to_string(), &told]).output().expect("runs");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    eprintln!("{text}");
}

/// The tables in `docs/output.md` are the schema, word for word.
#[test]
fn the_documented_tables_are_the_schema() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/output.md");
    let text = std::fs::read_to_string(page).expect("the page is there");
    for dataset in Dataset::ALL {
        let heading = format!("## `{dataset}`");
        let section = text.split_once(&heading).unwrap_or_else(|| panic!("no section {heading}")).1;
        let section = section.split("\n## ").next().unwrap_or_default();
        let found: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
        let want: Vec<String> = dataset
            .columns()
            .iter()
            .map(|column| {
                let null = if column.nullable { "yes" } else { "" };
                format!("| `{}` | {} | {null} | {} |", column.name, column.kind, column.meaning)
            })
            .collect();
        assert_eq!(found, want, "the table of `{dataset}` should be:\n{}", want.join("\n"));
    }
}
