//! Any text as a configuration file, TOML or JSON, with a few `--set`: no panic, a message for every refusal, and what is
//! accepted can be put to work.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use config::Sources;
use ingest::decode::Decoder;
use laws::Input;
use libfuzzer_sys::fuzz_target;

/// Of this process alone, in memory where there is a file system of that kind.
static FILES: LazyLock<[PathBuf; 2]> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    ["toml", "json"].map(|ending| folder.join(format!("atalaia-fuzz-{}.{ending}", std::process::id())))
});

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let file = &FILES[usize::from(input.flag())];
    // What follows a NUL is settings on the command line, one a line.
    let mut parts = input.0.splitn(2, |byte| *byte == 0);
    let text = parts.next().unwrap_or_default();
    let set = parts.next().and_then(|set| std::str::from_utf8(set).ok()).unwrap_or_default();
    std::fs::write(file, text).expect("the file is ours");
    let set = set.lines().map(str::to_owned).collect();
    match config::load(Sources { file: Some(file.clone()), env: Vec::new(), set }) {
        Ok(loaded) => {
            let config = loaded.config;
            Decoder::new(&config.ingest.decode).expect("checked by its rules");
            config.aggregate.settings(false, false).expect("checked by its rules");
            assert!(loaded.warnings.iter().all(|warning| !warning.is_empty()));
        }
        Err(error) => {
            assert!(!error.to_string().trim().is_empty(), "{error:?}");
            for problem in error.problems() {
                assert!(!problem.message.trim().is_empty(), "{problem:?}");
            }
        }
    }
});
