//! Which input this is, and whether it is still the same: positions mean something only within one and the same input.
//!
//! The path names the input. Its files' names, sizes, first and last bytes tell a changed input from the one that was
//! read before; reading all of it twice would cost more than that certainty is worth.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::expand::Input;

/// Looked at from the beginning and from the end of each file.
const SAMPLE_BYTES: u64 = 64 << 10;

/// A name for the input at this path, fit for a topic: the same path is the same input.
pub(super) fn topic(path: &str, inputs: &[Input]) -> String {
    if inputs.iter().any(Input::is_stream) {
        // What is piped in is a new input each time. A process' id would not do: in a container it is always the same.
        return format!("stream-{:016x}", RandomState::new().build_hasher().finish());
    }
    let whole = Path::new(path).canonicalize().unwrap_or_else(|_| path.into());
    format!("files-{:08x}", crc32fast::hash(whole.as_os_str().as_encoded_bytes()))
}

/// What the input consists of, in words; none for what can be read only once.
pub(super) fn content(inputs: &[Input]) -> io::Result<Option<String>> {
    let mut hasher = crc32fast::Hasher::new();
    let mut total = 0;
    for input in inputs {
        // Looking at it would take it away from the run.
        let Input::File { path, bytes } = input else { return Ok(None) };
        total += bytes;
        hasher.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        hasher.update(&bytes.to_le_bytes());
        let mut file = File::open(path)?;
        sample(&mut file, &mut hasher)?;
        if *bytes > SAMPLE_BYTES {
            file.seek(SeekFrom::Start(bytes - SAMPLE_BYTES))?;
            sample(&mut file, &mut hasher)?;
        }
    }
    let files = if inputs.len() == 1 { "file" } else { "files" };
    Ok(Some(format!("{} {files}, {total} bytes, checksum {:08x}", inputs.len(), hasher.finalize())))
}

fn sample(file: &mut File, hasher: &mut crc32fast::Hasher) -> io::Result<()> {
    let mut bytes = Vec::new();
    file.take(SAMPLE_BYTES).read_to_end(&mut bytes)?;
    hasher.update(&bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::expand::expand;

    #[test]
    fn a_changed_file_is_another_content_and_another_path_another_topic() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("a"), "one").expect("a file");
        std::fs::write(path("b"), "one").expect("a file");
        let inputs = |name: &str| expand(&path(name)).expect("files");
        let before = content(&inputs("a")).expect("read");
        assert_eq!(content(&inputs("a")).expect("read"), before);
        assert_ne!(topic(&path("a"), &inputs("a")), topic(&path("b"), &inputs("b")));
        std::fs::write(path("a"), "two").expect("a file");
        assert_ne!(content(&inputs("a")).expect("read"), before);
    }

    #[test]
    fn what_is_piped_in_is_another_input_each_time() {
        let inputs = expand("-").expect("standard input");
        assert_eq!(content(&inputs).expect("nothing is read"), None);
        assert_ne!(topic("-", &inputs), topic("-", &inputs));
    }
}
