//! Samples of every shape with the settings that read them, and shapes made by chance with what they hold.

use std::fs;
use std::path::{Path as FilePath, PathBuf};

use ingest::SourceKind;

use super::*;
use crate::commands::init::{document, sample, tally};

fn folder() -> PathBuf {
    FilePath::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/init")
}

fn read_config(path: &FilePath) -> Config {
    let sources = config::Sources { file: Some(path.to_owned()), ..config::Sources::default() };
    config::read(sources).expect("the settings can be read").config.ingest.decode
}

fn of_file(path: &FilePath) -> Result<Guess, Unknown> {
    let mut config = config::Config::default();
    config.ingest.source = SourceKind::Files;
    config.ingest.files.path = path.display().to_string();
    let samples = sample::read(&config, 500).expect("the file can be read");
    let name = document::device_name(&config);
    infer(&samples, &Context { lines: true, decode: &config.ingest.decode, name: &name })
}

/// The settings as they come out of the text that is written.
pub(super) fn as_written(guess: &Guess) -> Config {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("guess.toml");
    fs::write(&path, guess.as_toml()).expect("a file");
    read_config(&path)
}

#[test]
fn each_sample_is_read_as_people_would_read_it() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(folder()).expect("the samples are there") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let beside = |end: &str| folder().join(format!("{name}.{end}"));
        let outcome = || of_file(&path);
        if beside("toml").exists() {
            checked += 1;
            let text = fs::read_to_string(beside("toml")).expect("text");
            let told =
                text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("what becomes of the records");
            match outcome() {
                Ok(guess) if guess.decode != read_config(&beside("toml")) || tally(&guess.tally) != told => {
                    wrong.push(format!("{name}: {}\n{}", tally(&guess.tally), guess.as_toml()));
                }
                Ok(guess) => assert_eq!(as_written(&guess), guess.decode, "{name}: written as it is meant"),
                Err(error) => wrong.push(format!("{name}: {error}")),
            }
        } else if beside("error").exists() {
            checked += 1;
            let expected = fs::read_to_string(beside("error")).expect("text");
            match outcome() {
                Err(error) if error.to_string().contains(expected.trim()) => assert!(!error.hint().is_empty()),
                Err(error) => wrong.push(format!("{name}: {error}")),
                Ok(guess) => wrong.push(format!("{name}: {}\n{}", tally(&guess.tally), guess.as_toml())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= 30, "only {checked} samples");
}
