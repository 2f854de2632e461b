//! Files of a simulated fleet: one a partition in a folder, or one for all, which may be standard output.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use ingest::simulated::{Encoder, Event, Fleet};

use super::{Destination, Whereabouts};
use crate::commands::output::shell_word;

/// What a file holds, and how it is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    shape: Shape,
    packing: Packing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    JsonLines,
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl FromStr for Ending {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (shape, packing) = match text.rsplit_once('.') {
            Some((shape, "gz")) => (shape, Packing::Gzip),
            Some((shape, "zst")) => (shape, Packing::Zstd),
            _ => (text, Packing::Plain),
        };
        let shape = match shape {
            "jsonl" => Shape::JsonLines,
            "csv" => Shape::Csv,
            _ => return Err(format!("`{text}` is not one of jsonl, csv, jsonl.gz, csv.gz, jsonl.zst, csv.zst")),
        };
        Ok(Ending { shape, packing })
    }
}

impl Ending {
    const ALL: [&'static str; 6] = ["jsonl", "csv", "jsonl.gz", "csv.gz", "jsonl.zst", "csv.zst"];

    /// The ending of a file's name, if it is one of ours.
    fn of(path: &Path) -> Option<Ending> {
        let name = path.file_name()?.to_str()?;
        let fits = |ending: &&str| name.strip_suffix(*ending).is_some_and(|stem| stem.ends_with('.'));
        Self::ALL.into_iter().find(fits)?.parse().ok()
    }

    fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|text| text.parse() == Ok(self)).unwrap_or_default()
    }
}

/// The files being written.
pub(super) struct Files {
    out: PathBuf,
    ending: Ending,
    encoder: Encoder,
    writers: Vec<(PathBuf, Writer)>,
    line: Vec<u8>,
}

impl Files {
    pub(super) fn create(out: &Path, ending: Ending, force: bool, fleet: &Fleet) -> anyhow::Result<Self> {
        if out == Path::new(super::STANDARD_OUTPUT) {
            return Self::open(out, ending, vec![out.to_owned()], fleet);
        }
        let one = Ending::of(out).filter(|_| !out.is_dir());
        let paths = match one {
            Some(_) => vec![out.to_owned()],
            None => {
                fs::create_dir_all(out).with_context(|| format!("make the folder `{}`", out.display()))?;
                let name = |index| out.join(format!("partition-{index:04}.{}", ending.as_str()));
                (0..fleet.config().partitions).map(name).collect()
            }
        };
        let ending = one.unwrap_or(ending);
        if let Some(there) = paths.iter().find(|path| path.exists() && !force) {
            bail!("`{}` is there already: name another place, or replace it with --force", there.display());
        }
        Self::open(out, ending, paths, fleet)
    }

    fn open(out: &Path, ending: Ending, paths: Vec<PathBuf>, fleet: &Fleet) -> anyhow::Result<Self> {
        let open = |path: PathBuf| {
            let mut writer = Writer::create(&path, ending.packing)?;
            if ending.shape == Shape::Csv {
                writeln!(writer.out(), "{}", Encoder::CSV_HEADER)?;
            }
            Ok((path, writer))
        };
        let open = |path: PathBuf| open(path.clone()).map_err(|error| unwritable(error, &path));
        let writers = paths.into_iter().map(open).collect::<anyhow::Result<_>>()?;
        Ok(Files { out: out.to_owned(), ending, encoder: Encoder::new(fleet), writers, line: Vec::new() })
    }
}

impl Destination for Files {
    fn write(&mut self, event: &Event) -> anyhow::Result<()> {
        self.line.clear();
        match self.ending.shape {
            Shape::JsonLines => self.encoder.json(event, &mut self.line),
            Shape::Csv => self.encoder.csv(event, &mut self.line),
        }
        self.line.push(b'\n');
        let place = if self.writers.len() == 1 { 0 } else { event.partition as usize };
        let (path, writer) = &mut self.writers[place];
        writer.out().write_all(&self.line).map_err(|error| unwritable(error, path))
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        for (path, writer) in std::mem::take(&mut self.writers) {
            writer.finish().map_err(|error| unwritable(error, &path))?;
        }
        Ok(())
    }

    fn whereabouts(&self) -> Whereabouts {
        let place = self.out.display().to_string();
        if self.out == Path::new(super::STANDARD_OUTPUT) {
            return Whereabouts { place: "standard output".to_owned(), next: None };
        }
        let next = Some(format!("atalaia init --sample {}", shell_word(&place)));
        Whereabouts { place, next }
    }
}

fn unwritable(error: io::Error, path: &Path) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("write `{}`", path.display()))
}

/// A file and its packing.
enum Writer {
    Plain(BufWriter<fs::File>),
    Gzip(GzEncoder<BufWriter<fs::File>>),
    Zstd(zstd::Encoder<'static, BufWriter<fs::File>>),
}

impl Writer {
    fn create(path: &Path, packing: Packing) -> io::Result<Self> {
        let file = if path == Path::new(super::STANDARD_OUTPUT) {
            fs::File::from(io::stdout().as_fd().try_clone_to_owned()?)
        } else {
            OpenOptions::new().write(true).create(true).truncate(true).open(path)?
        };
        let file = BufWriter::new(file);
        Ok(match packing {
            Packing::Plain => Writer::Plain(file),
            // The same records give the same bytes: the header carries no time.
            Packing::Gzip => Writer::Gzip(GzEncoder::new(file, Compression::fast())),
            Packing::Zstd => Writer::Zstd(zstd::Encoder::new(file, 1)?),
        })
    }

    fn out(&mut self) -> &mut dyn Write {
        match self {
            Writer::Plain(file) => file,
            Writer::Gzip(encoder) => encoder,
            Writer::Zstd(encoder) => encoder,
        }
    }

    fn finish(self) -> io::Result<()> {
        let mut file = match self {
            Writer::Plain(file) => file,
            Writer::Gzip(encoder) => encoder.finish()?,
            Writer::Zstd(encoder) => encoder.finish()?,
        };
        file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use ingest::simulated::Config;
    use types::Span;

    use super::*;

    fn fleet() -> Fleet {
        Fleet::new(&Config { duration: Span::from_secs(3600), malformed: 0.01, ..Config::default() }).expect("a fleet")
    }

    fn written(fleet: &Fleet, out: &Path, ending: &str) {
        let mut files = Files::create(out, ending.parse().expect(ending), false, fleet).expect("files");
        for event in fleet.events() {
            files.write(&event).expect("a record");
        }
        files.finish().expect("an end");
    }

    fn text(path: &Path) -> String {
        let bytes = fs::read(path).expect("a file");
        let mut text = String::new();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip"),
            Some("zst") => zstd::Decoder::new(&bytes[..]).expect("zstd").read_to_string(&mut text).expect("zstd"),
            _ => String::from_utf8(bytes).map(|plain| text = plain).map(|()| 0).expect("text"),
        };
        text
    }

    #[test]
    fn every_ending_holds_the_same_lines() {
        let fleet = fleet();
        let folder = tempfile::tempdir().expect("a folder");
        let records = fleet.events().count();
        for (shape, header) in [("jsonl", 0), ("csv", 1)] {
            let mut contents = Vec::new();
            for packing in ["", ".gz", ".zst"] {
                let path = folder.path().join(format!("all.{shape}{packing}"));
                written(&fleet, &path, "jsonl");
                contents.push(text(&path));
            }
            assert_eq!(contents[0].lines().count(), records + header, "{shape}");
            assert!(contents[0] == contents[1] && contents[0] == contents[2], "{shape}");
        }
    }

    #[test]
    fn a_folder_holds_a_file_for_each_partition_and_is_not_overwritten() {
        let fleet = fleet();
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("readings");
        written(&fleet, &out, "csv.gz");
        let lines: usize = fs::read_dir(&out)
            .expect("a folder")
            .map(|entry| text(&entry.expect("an entry").path()).lines().count() - 1)
            .sum();
        assert_eq!(lines, fleet.events().count());
        let again = Files::create(&out, "csv.gz".parse().expect("an ending"), false, &fleet);
        assert!(again.is_err_and(|error| error.to_string().contains("--force")));
    }

    #[test]
    fn endings_read_and_print_alike() {
        for text in Ending::ALL {
            assert_eq!(text.parse::<Ending>().expect(text).as_str(), text);
            assert!(Ending::of(Path::new(&format!("a/b.{text}"))).is_some(), "{text}");
        }
        for text in ["", "gz", "json", "csv.bz2", "csv.gz.gz"] {
            assert!(text.parse::<Ending>().is_err(), "{text}");
        }
        assert_eq!(Ending::of(Path::new("readings")), None);
        assert_eq!(Ending::of(Path::new("csv")), None);
    }
}
