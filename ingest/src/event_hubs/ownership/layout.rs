//! What the blobs are called, and what is in their metadata. They are empty otherwise. Pure.
//!
//! The layout is common to Microsoft's clients: `<namespace>/<hub>/<group>/ownership/<partition>` with `ownerid`, and
//! `…/checkpoint/<partition>` with `sequencenumber` and `offset`. By agreement the first three are lower case; the clients in Go,
//! Java and Rust write them as they were given all the same, so both spellings are known here, and only the agreed one is written.

use object_store::{Attribute, Attributes};

pub(super) const OWNER_ID: &str = "ownerid";
pub(super) const SEQUENCE_NUMBER: &str = "sequencenumber";
pub(super) const OFFSET: &str = "offset";
/// Who wrote a checkpoint, as the .NET client notes it.
pub(super) const CLIENT: &str = "clientidentifier";

/// A consumer group, as it was configured.
#[derive(Debug, Clone)]
pub struct Group {
    /// The full host name.
    pub namespace: String,
    pub hub: String,
    pub consumer_group: String,
}

impl Group {
    /// The folder of the group, as it is agreed.
    pub(super) fn agreed(&self) -> String {
        self.verbatim().to_lowercase()
    }

    /// The folder as some clients spell it.
    pub(super) fn verbatim(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.hub, self.consumer_group)
    }
}

/// The partition that a blob in `folder` is about; none for what is not ours to understand.
pub(super) fn partition(folder: &str, path: &str) -> Option<u32> {
    let id = path.strip_prefix(folder)?.strip_prefix('/')?;
    id.parse().ok().filter(|partition: &u32| partition.to_string() == id)
}

pub(super) fn metadata<'a>(entries: impl IntoIterator<Item = (&'static str, &'a str)>) -> Attributes {
    entries.into_iter().map(|(key, value)| (Attribute::Metadata(key.into()), value.to_owned())).collect()
}

/// Keys come in other cases too: older Java clients wrote `OwnerId`.
pub(super) fn value<'a>(attributes: &'a Attributes, key: &str) -> Option<&'a str> {
    attributes.iter().find_map(|(attribute, value)| match attribute {
        Attribute::Metadata(name) if name.eq_ignore_ascii_case(key) => Some(value.as_ref()),
        _ => None,
    })
}

/// Whether a header can carry it.
pub(super) fn is_sendable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (0x21..0x7f).contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_lower_case_by_agreement_and_verbatim_otherwise() {
        let group = Group {
            namespace: "Plant.servicebus.windows.net".into(),
            hub: "Telemetry".into(),
            consumer_group: "$Default".into(),
        };
        assert_eq!(group.agreed(), "plant.servicebus.windows.net/telemetry/$default");
        assert_eq!(group.verbatim(), "Plant.servicebus.windows.net/Telemetry/$Default");
    }

    #[test]
    fn only_numbers_right_in_the_folder_are_partitions() {
        for (path, expected) in
            [("a/b/7", Some(7)), ("a/b/07", None), ("a/b/x", None), ("a/b/c/7", None), ("a/bb/7", None), ("a/b", None)]
        {
            assert_eq!(partition("a/b", path), expected, "{path}");
        }
    }

    #[test]
    fn keys_are_found_in_any_case() {
        let attributes = metadata([("OwnerId", "me"), ("sequencenumber", "3")]);
        assert_eq!(value(&attributes, OWNER_ID), Some("me"));
        assert_eq!(value(&attributes, SEQUENCE_NUMBER), Some("3"));
        assert_eq!(value(&attributes, OFFSET), None);
    }
}
