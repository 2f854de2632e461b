//! Files that hold no records as we read them, told by their first bytes: named once, instead of as a thousand refused records.

/// What a file is, and what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) advice: &'static str,
}

/// As many bytes as tell a kind, of a file that has them.
pub(super) const BYTES: u64 = 512;

const EXCEL: &str = "save the sheet as CSV in UTF-8 (in Excel: Save As, CSV UTF-8), and read that";
const TABLE: &str = "write it as CSV or JSON lines first, with DuckDB for example: `duckdb -c \"COPY (FROM 'IN.parquet') TO 'OUT.csv'\"`";
const UNPACK: &str = "unpack it, and name the files in it; gzip and zstd are read as they are";
const PICTURE: &str = "name the file of readings: rows of CSV, lines of JSON, or Avro";
const UTF_16: &str = "write it in UTF-8: `iconv -f UTF-16 -t UTF-8 IN > OUT`";

/// What begins like this, and what has to stand behind so that it is no text that begins so by chance.
const KINDS: &[(&[u8], Proof, Kind)] = &[
    (b"\x89PNG", Proof::None, Kind { name: "a picture (PNG)", advice: PICTURE }),
    (b"\xff\xd8\xff", Proof::None, Kind { name: "a picture (JPEG)", advice: PICTURE }),
    (b"GIF8", Proof::Begins(b"GIF87a"), Kind { name: "a picture (GIF)", advice: PICTURE }),
    (b"GIF8", Proof::Begins(b"GIF89a"), Kind { name: "a picture (GIF)", advice: PICTURE }),
    (b"%PDF", Proof::Begins(b"%PDF-"), Kind { name: "a PDF", advice: PICTURE }),
    (b"PK\x03\x04", Proof::Holds(b"[Content_Types].xml"), Kind { name: "an Excel workbook (.xlsx)", advice: EXCEL }),
    (b"PK\x03\x04", Proof::Holds(b"xl/"), Kind { name: "an Excel workbook (.xlsx)", advice: EXCEL }),
    (b"PK\x03\x04", Proof::Holds(b"opendocument"), Kind { name: "an OpenDocument file", advice: EXCEL }),
    (b"PK\x03\x04", Proof::None, Kind { name: "a ZIP archive", advice: UNPACK }),
    (b"\xd0\xcf\x11\xe0", Proof::None, Kind { name: "an old Excel workbook (.xls)", advice: EXCEL }),
    (b"PAR1", Proof::Unprintable(4), Kind { name: "a Parquet file", advice: TABLE }),
    (b"ARRO", Proof::Begins(b"ARROW1\0"), Kind { name: "an Arrow file", advice: TABLE }),
    (b"ORC", Proof::Unprintable(3), Kind { name: "an ORC file", advice: TABLE }),
    (b"SQLi", Proof::Begins(b"SQLite format 3\0"), Kind { name: "an SQLite database", advice: TABLE }),
    (
        b"\x89HDF",
        Proof::None,
        Kind { name: "an HDF5 file", advice: "write its tables as CSV first, with `pandas.read_hdf` for example" },
    ),
    (
        b"BZh",
        Proof::Holds(b"1AY&SY"),
        Kind { name: "compressed with bzip2", advice: "pack it anew: `bzcat IN | gzip > OUT`" },
    ),
    (b"\xfd7zXZ", Proof::None, Kind { name: "compressed with xz", advice: "pack it anew: `xzcat IN | gzip > OUT`" }),
    (
        b"\x04\x22\x4d\x18",
        Proof::None,
        Kind { name: "compressed with lz4", advice: "pack it anew: `lz4cat IN | gzip > OUT`" },
    ),
    (b"7z\xbc\xaf", Proof::None, Kind { name: "a 7z archive", advice: UNPACK }),
    (b"Rar!", Proof::Unprintable(4), Kind { name: "a RAR archive", advice: UNPACK }),
    // Only within what was decompressed already.
    (b"\x1f\x8b", Proof::None, Kind { name: "compressed twice", advice: "unpack it once: `zcat IN > OUT`" }),
    (b"\xff\xfe", Proof::Holds(b"\0"), Kind { name: "text in UTF-16", advice: UTF_16 }),
    (b"\xfe\xff", Proof::Holds(b"\0"), Kind { name: "text in UTF-16", advice: UTF_16 }),
    (
        b"<!DO",
        Proof::None,
        Kind { name: "an HTML page", advice: "an address that asks for a log-in answers so: load the file itself" },
    ),
    (
        b"<htm",
        Proof::None,
        Kind { name: "an HTML page", advice: "an address that asks for a log-in answers so: load the file itself" },
    ),
    (b"<?xm", Proof::None, Kind { name: "an XML document", advice: "write it as CSV or JSON lines first" }),
];

#[derive(Debug, Clone, Copy)]
enum Proof {
    None,
    /// The whole of what it begins with.
    Begins(&'static [u8]),
    /// Somewhere among the first bytes.
    Holds(&'static [u8]),
    /// This byte is none that a text has.
    Unprintable(usize),
}

/// What these first bytes are of, if it is nothing that can be read.
pub(super) fn of(start: &[u8]) -> Option<Kind> {
    // A text may have the word there, and no zero byte.
    if start.get(257..262) == Some(b"ustar") && start[..257].contains(&0) {
        return Some(Kind { name: "a tar archive", advice: UNPACK });
    }
    let fits = |(begins, proof, _): &&(&[u8], Proof, Kind)| start.starts_with(begins) && proof.holds(start);
    KINDS.iter().find(fits).map(|(_, _, kind)| *kind)
}

/// Whether so short a beginning may be one of them, so that more is worth looking at.
pub(super) fn may_be(start: &[u8]) -> bool {
    let shared = |begins: &[u8]| begins.iter().zip(start).all(|(one, other)| one == other);
    !start.is_empty() && KINDS.iter().any(|(begins, _, _)| shared(begins))
}

impl Proof {
    fn holds(self, start: &[u8]) -> bool {
        match self {
            Proof::None => true,
            Proof::Begins(whole) => start.starts_with(whole),
            Proof::Holds(part) => memchr::memmem::find(start, part).is_some(),
            Proof::Unprintable(at) => {
                start.get(at).is_some_and(|byte| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_and_texts_are_none() {
        let mut tar = [&b"data.csv"[..], &[0; 600]].concat();
        tar[257..262].copy_from_slice(b"ustar");
        for (start, name) in [
            (&b"\x89PNG\r\n\x1a\n"[..], "a picture (PNG)"),
            (b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0[Content_Types].xml", "an Excel workbook (.xlsx)"),
            (b"PK\x03\x04\x14\0\0\0data.csv", "a ZIP archive"),
            (b"PAR1\x15\x04\x15", "a Parquet file"),
            (b"BZh91AY&SY", "compressed with bzip2"),
            (b"\xff\xfet\0s\0", "text in UTF-16"),
            (&tar[..], "a tar archive"),
        ] {
            assert_eq!(of(start).map(|kind| kind.name), Some(name));
            assert!(may_be(&start[..3]) || name == "a tar archive", "{name}");
        }
        for text in [
            "PAR1,PAR2,ts\n",
            "ORC,ts\n",
            "BZh,ts\n",
            "GIF8,ts\n",
            "ARROW1,ts",
            "Rar!,x",
            "%PDFs,ts",
            "<a>,b",
            "7z,a",
            "",
            "P",
        ] {
            assert_eq!(of(text.as_bytes()), None, "{text}");
        }
        assert!(!may_be(b"{\"d") && !may_be(b"ts,") && !may_be(b""));
    }
}
