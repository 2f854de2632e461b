//! A zip archive in memory: its directory, and single members of it. Nothing is ever written anywhere.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::import::{Refused, inflate};

/// skops writes one for each array.
const MEMBERS_MAX: usize = 4_096;

#[derive(Debug)]
pub(super) struct Archive<'a> {
    bytes: &'a [u8],
    members: HashMap<&'a str, Member>,
}

/// An entry of the directory.
#[derive(Debug, Clone, Copy)]
struct Member {
    is_deflated: bool,
    crc32: u32,
    packed_bytes: usize,
    bytes: usize,
    /// Where its own header begins.
    at: usize,
}

// === impl Archive ===

impl<'a> Archive<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Archive<'a>, Refused> {
        let end = directory_end(bytes).ok_or(broken("has no directory at its end: it is cut, or damaged"))?;
        let (count, at) = (u16_at(end, 10), u32_at(end, 16));
        let (Some(count), Some(at)) = (count, at) else { return Err(broken("has a damaged directory")) };
        if usize::from(count) > MEMBERS_MAX {
            return Err(Refused::TooLarge { what: "members in an archive", max: MEMBERS_MAX });
        }
        let mut members = HashMap::new();
        let mut at = at as usize;
        for _ in 0..count {
            let (name, member, length) = entry(bytes, at)?;
            if members.insert(name, member).is_some() {
                return Err(broken("has two members of one name"));
            }
            at += length;
        }
        Ok(Archive { bytes, members })
    }

    /// A member's content, checked against its checksum.
    pub(super) fn read(&self, name: &str, bytes_max: usize) -> Result<Cow<'a, [u8]>, Refused> {
        let missing = || Refused::Member { name: crate::import::refused::shown(name) };
        let member = self.members.get(name).ok_or_else(missing)?;
        if member.bytes > bytes_max {
            return Err(Refused::TooLarge { what: "bytes in an archive's members", max: bytes_max });
        }
        let packed = self.packed(member).ok_or(broken("has a member that leads nowhere"))?;
        let content: Cow<'a, [u8]> = match member.is_deflated {
            true => inflate::deflated(packed, member.bytes)?.into(),
            false => packed.into(),
        };
        if content.len() != member.bytes || crc32fast::hash(&content) != member.crc32 {
            return Err(broken("has a damaged member"));
        }
        Ok(content)
    }

    /// Behind the member's own header, whose lengths of name and extra field may differ from the directory's.
    fn packed(&self, member: &Member) -> Option<&'a [u8]> {
        let header = self.bytes.get(member.at..)?.strip_prefix(b"PK\x03\x04")?;
        let behind = usize::from(u16_at(header, 22)?) + usize::from(u16_at(header, 24)?);
        header.get(26 + behind..)?.get(..member.packed_bytes)
    }
}

/// The record at the end, whose comment must reach exactly to the end of the file.
fn directory_end(bytes: &[u8]) -> Option<&[u8]> {
    const RECORD: usize = 22;
    const COMMENT_MAX: usize = u16::MAX as usize;
    let last = bytes.len().checked_sub(RECORD)?;
    (last.saturating_sub(COMMENT_MAX)..=last).rev().map(|at| &bytes[at..]).find(|record| {
        record.starts_with(b"PK\x05\x06")
            && u16_at(record, 20).is_some_and(|comment| RECORD + usize::from(comment) == record.len())
    })
}

/// The name, the entry, and how long it is in the directory.
fn entry(bytes: &[u8], at: usize) -> Result<(&str, Member, usize), Refused> {
    const FIXED: usize = 46;
    let damaged = broken("has a damaged directory");
    let Some(entry) = bytes.get(at..).filter(|entry| entry.starts_with(b"PK\x01\x02") && entry.len() >= FIXED) else {
        return Err(damaged);
    };
    let u16_at = |at| usize::from(u16_at(entry, at).unwrap_or_default());
    let u32_at = |at| u32_at(entry, at).unwrap_or_default();
    let (flags, method, name_bytes) = (u16_at(8), u16_at(10), u16_at(28));
    let Some(Ok(name)) = entry.get(FIXED..FIXED + name_bytes).map(std::str::from_utf8) else { return Err(damaged) };
    // Nothing is written; but whoever made such a name did not mean a model.
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) || name == ".." {
        return Err(broken("has a member with a path in its name"));
    }
    if flags & 1 == 1 {
        return Err(broken("is encrypted"));
    }
    let member = Member {
        is_deflated: match method {
            0 => false,
            8 => true,
            _ => return Err(broken("has a member that is neither stored nor deflated")),
        },
        crc32: u32_at(16),
        packed_bytes: u32_at(20) as usize,
        bytes: u32_at(24) as usize,
        at: u32_at(42) as usize,
    };
    // Deflate adds next to nothing to what it cannot pack; a stream without end that gives nothing would take long.
    if member.packed_bytes > member.bytes + member.bytes / 8 + 1_024 {
        return Err(broken("has a member that is smaller than what it is packed into"));
    }
    Ok((name, member, FIXED + name_bytes + u16_at(30) + u16_at(32)))
}

fn broken(problem: &'static str) -> Refused {
    Refused::Archive { problem }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// What is written of a member; the rest follows from it.
    struct Written<'t> {
        name: &'t str,
        content: &'t [u8],
        is_deflated: bool,
        flags: u16,
        crc32: Option<u32>,
        bytes: Option<u32>,
    }

    const PLAIN: Written<'static> =
        Written { name: "a.npy", content: b"content", is_deflated: false, flags: 0, crc32: None, bytes: None };

    fn archive(members: &[Written<'_>]) -> Vec<u8> {
        let (mut file, mut directory) = (Vec::new(), Vec::new());
        for member in members {
            let mut packed = member.content.to_vec();
            if member.is_deflated {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(member.content).expect("memory");
                packed = encoder.finish().expect("memory");
            }
            let at = file.len() as u32;
            let (name, crc32) =
                (member.name.as_bytes(), member.crc32.unwrap_or_else(|| crc32fast::hash(member.content)));
            let method = if member.is_deflated { 8_u16 } else { 0 };
            let sizes = [packed.len() as u32, member.bytes.unwrap_or(member.content.len() as u32)];
            let common: Vec<u8> =
                [20, member.flags, method, 0, 0].iter().flat_map(|half: &u16| half.to_le_bytes()).collect();
            let lengths: Vec<u8> = [crc32, sizes[0], sizes[1]].iter().flat_map(|word| word.to_le_bytes()).collect();
            let name_length = (name.len() as u16).to_le_bytes();
            file.extend([b"PK\x03\x04", common.as_slice(), &lengths, &name_length, &[0, 0], name, &packed].concat());
            let rest = [0; 10];
            directory
                .extend([b"PK\x01\x02\x14\x00", common.as_slice(), &lengths, &name_length, &[0, 0], &rest].concat());
            directory.extend([at.to_le_bytes().as_slice(), name].concat());
        }
        let (count, at) = (members.len() as u16, file.len() as u32);
        file.extend_from_slice(&directory);
        file.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        file.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
        file.extend([(directory.len() as u32).to_le_bytes(), at.to_le_bytes()].concat());
        file.extend_from_slice(&[0, 0]);
        file
    }

    fn outcome(members: &[Written<'_>], name: &str, bytes_max: usize) -> String {
        let bytes = archive(members);
        let content = Archive::new(&bytes).and_then(|archive| archive.read(name, bytes_max));
        content.map_or_else(|refused| refused.to_string(), |content| String::from_utf8_lossy(&content).into_owned())
    }

    #[test]
    fn members_are_read_or_refused() {
        let zeros = vec![b'0'; 100_000];
        for (members, expected) in [
            (vec![PLAIN], "content"),
            (vec![Written { is_deflated: true, ..PLAIN }], "content"),
            (vec![Written { name: "b.npy", ..PLAIN }], "the archive has no `a.npy`"),
            (vec![PLAIN, PLAIN], "the archive has two members of one name"),
            (vec![Written { name: "../a.npy", ..PLAIN }], "the archive has a member with a path in its name"),
            (vec![Written { flags: 1, ..PLAIN }], "the archive is encrypted"),
            (vec![Written { crc32: Some(1), ..PLAIN }], "the archive has a damaged member"),
            (vec![Written { bytes: Some(6), ..PLAIN }], "the archive has a damaged member"),
            (vec![Written { bytes: Some(6), is_deflated: true, ..PLAIN }], "more than 6 bytes when it is unpacked"),
            (vec![Written { content: &zeros, ..PLAIN }], "more than 50000 bytes in an archive's members"),
            (
                vec![Written { content: &zeros, bytes: Some(0), ..PLAIN }],
                "the archive has a member that is smaller than what it is packed into",
            ),
        ] {
            assert_eq!(outcome(&members, "a.npy", 50_000), expected);
        }
    }
}
