//! The container, asked: whose each partition is, and claims that at most one of two wins.
//!
//! A blob's ETag is the version of a claim: a claim replaces exactly the version that was seen, or creates what was not there. That
//! another was quicker is no error. Whether an owner still lives is told by its blob being renewed, which is the `watch`'s to judge.
//! Nothing is retried here beyond what the client does.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{Attributes, GetOptions, ObjectStore, PutMode, PutOptions, PutPayload, UpdateVersion};
use store::{Location, StoreKind};

use super::{Error, Group, layout};

/// Requests that are under way at once.
const REQUESTS_MAX: usize = 16;

/// The notes of one consumer group. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CheckpointStore {
    pub(super) location: Location,
    /// The group's folder by agreement, and as it was configured, where that is another.
    pub(super) agreed: String,
    pub(super) verbatim: Option<String>,
}

/// A blob's ETag, without the quotes: listings leave them out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

/// Who has a partition, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Empty if it was released.
    pub owner: String,
    pub version: Version,
    /// When it was renewed, by the clock of the store: to be compared with other times of the store only.
    pub modified_ms: i64,
}

impl Version {
    pub(super) fn new(e_tag: &str) -> Self {
        Version(e_tag.trim_matches('"').to_owned())
    }
}

/// A blob's metadata with its version.
pub(super) struct Blob {
    pub(super) metadata: Attributes,
    pub(super) version: Version,
    pub(super) modified_ms: i64,
}

impl CheckpointStore {
    /// # Errors
    /// If the URL is not that of a whole container, or the client cannot be made. Nothing is asked yet.
    pub fn open(url: &str, storage: &store::Config, group: &Group) -> Result<Self, Error> {
        let location = store::open(url, storage)?;
        // The memory is for tests.
        if !matches!(location.kind, StoreKind::Azure | StoreKind::Memory) {
            return Err(Error::NoContainer { place: location.display });
        }
        if !location.prefix.as_ref().is_empty() {
            return Err(Error::Inside { place: location.display });
        }
        let (agreed, verbatim) = (group.agreed(), group.verbatim());
        let verbatim = (verbatim != agreed).then_some(verbatim);
        Ok(CheckpointStore { location, agreed, verbatim })
    }

    /// Who has each partition. What is `known` is not read again as long as it is the same version.
    ///
    /// # Errors
    /// If the store does not answer, or refuses.
    pub async fn ownership(&self, known: &BTreeMap<u32, Record>) -> Result<BTreeMap<u32, Record>, store::Error> {
        let listed = self.list(&format!("{}/ownership", self.agreed)).await?;
        let read = stream::iter(listed).map(|(partition, version)| async move {
            let record = match known.get(&partition) {
                Some(record) if record.version == version => Some(record.clone()),
                _ => self.record(partition).await?,
            };
            Ok(record.map(|record| (partition, record)))
        });
        let read: Vec<_> = read.buffer_unordered(REQUESTS_MAX).try_collect().await?;
        Ok(read.into_iter().flatten().collect())
    }

    /// Claims a partition whose note was seen in version `seen`, or was not there. Repeating it is
    /// harmless. Gives the new version, or nothing if another was quicker.
    ///
    /// # Errors
    /// If the store does not answer, or refuses. The claim may have taken place.
    pub async fn claim(
        &self,
        partition: u32,
        owner: &str,
        seen: Option<&Version>,
    ) -> Result<Option<Version>, store::Error> {
        let path = self.ownership_path(partition);
        let metadata = layout::metadata([(layout::OWNER_ID, owner)]);
        if let Some(version) = self.put(&path, metadata.clone(), seen).await? {
            return Ok(Some(version));
        }
        // It may have been ourselves: a request whose answer was lost is sent again. That one may be old, so it is renewed.
        match self.record(partition).await?.filter(|found| found.owner == owner) {
            Some(ours) => self.put(&path, metadata, Some(&ours.version)).await,
            None => Ok(None),
        }
    }

    /// Gives back a partition that `owner` claimed in the version `seen`, or a later one: a renewal may still have been under way.
    ///
    /// # Errors
    /// If the store does not answer, or refuses.
    pub(crate) async fn release(&self, partition: u32, owner: &str, seen: &Version) -> Result<(), store::Error> {
        if self.claim(partition, "", Some(seen)).await?.is_none()
            && let Some(record) = self.record(partition).await?.filter(|record| record.owner == owner)
        {
            self.claim(partition, "", Some(&record.version)).await?;
        }
        Ok(())
    }

    async fn record(&self, partition: u32) -> Result<Option<Record>, store::Error> {
        let blob = self.blob(&self.ownership_path(partition)).await?;
        Ok(blob.map(|Blob { metadata, version, modified_ms }| {
            let owner = layout::value(&metadata, layout::OWNER_ID).unwrap_or_default().to_owned();
            Record { owner, version, modified_ms }
        }))
    }

    fn ownership_path(&self, partition: u32) -> Path {
        self.location.path(&format!("{}/ownership/{partition}", self.agreed))
    }

    /// The partitions that have a blob in a folder.
    pub(super) async fn list(&self, folder: &str) -> Result<BTreeMap<u32, Version>, store::Error> {
        let path = self.location.path(folder);
        let listed = self.location.store.list(Some(&path)).try_filter_map(|meta| {
            let partition = layout::partition(path.as_ref(), meta.location.as_ref());
            let found = partition.map(|partition| (partition, Version::new(&meta.e_tag.unwrap_or_default())));
            futures::future::ready(Ok(found))
        });
        listed.try_collect().await.map_err(|error| store::Error::from_store(&self.location, &error))
    }

    pub(super) async fn blob(&self, path: &Path) -> Result<Option<Blob>, store::Error> {
        let options = GetOptions::new().with_head(true);
        match self.location.store.get_opts(path, options).await {
            Ok(found) => Ok(Some(Blob {
                metadata: found.attributes,
                version: Version::new(&found.meta.e_tag.unwrap_or_default()),
                modified_ms: found.meta.last_modified.timestamp_millis(),
            })),
            Err(error) => match store::Error::from_store(&self.location, &error) {
                store::Error::NotFound { .. } => Ok(None),
                other => Err(other),
            },
        }
    }

    /// Writes an empty blob in place of the version that was `seen`, or of none; gives nothing if it is no longer so.
    pub(super) async fn put(
        &self,
        path: &Path,
        metadata: Attributes,
        seen: Option<&Version>,
    ) -> Result<Option<Version>, store::Error> {
        let mode = match seen {
            Some(Version(tag)) => PutMode::Update(UpdateVersion { e_tag: Some(format!("\"{tag}\"")), version: None }),
            None => PutMode::Create,
        };
        let options = PutOptions { mode, attributes: metadata, ..PutOptions::default() };
        match self.location.store.put_opts(path, PutPayload::default(), options).await {
            Ok(put) => Ok(Some(Version::new(&put.e_tag.unwrap_or_default()))),
            Err(error) => match store::Error::from_store(&self.location, &error) {
                store::Error::Exists { .. } | store::Error::NotFound { .. } => Ok(None),
                other => Err(other),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Runtime;

    use super::*;

    fn open(url: &str) -> Result<CheckpointStore, Error> {
        let group = Group { namespace: "n".into(), hub: "h".into(), consumer_group: "$Default".into() };
        CheckpointStore::open(url, &store::Config { emulator: true, ..store::Config::default() }, &group)
    }

    #[test]
    fn only_whole_containers_are_taken() {
        assert!(open("az://checkpoints").is_ok());
        let folder = std::env::temp_dir().display().to_string();
        for (url, inside) in [(folder.as_str(), false), ("s3://bucket", false), ("az://checkpoints/below", true)] {
            let error = open(url).unwrap_err();
            assert_eq!(matches!(error, Error::Inside { .. }), inside, "{error}");
            assert_eq!(matches!(error, Error::NoContainer { .. }), !inside, "{error}");
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn of_two_claims_one_wins_and_repeating_one_is_harmless() {
        Runtime::new().unwrap().block_on(async {
            let store = open("memory://claims").unwrap();
            let first = store.claim(1, "a", None).await.unwrap().expect("nobody was there");
            assert_eq!(store.claim(1, "b", None).await.unwrap(), None);
            let again = store.claim(1, "a", None).await.unwrap().expect("its answer was lost");
            assert_eq!(store.claim(1, "b", Some(&first)).await.unwrap(), None, "it is renewed");
            let second = store.claim(1, "b", Some(&again)).await.unwrap().expect("it was seen as it is");
            assert_eq!(store.claim(1, "a", Some(&first)).await.unwrap(), None);
            assert_eq!(store.claim(2, "a", Some(&first)).await.unwrap(), None, "it is gone");

            let known = store.ownership(&BTreeMap::new()).await.unwrap();
            assert_eq!(known[&1].owner, "b");
            assert_eq!(known[&1].version, second);
            let third = store.claim(1, "b", Some(&second)).await.unwrap().expect("renewed");
            // By the version before: a renewal was under way.
            store.release(1, "b", &second).await.unwrap();
            let released = store.ownership(&known).await.unwrap();
            assert_eq!(released[&1].owner, "");
            store.claim(1, "c", Some(&released[&1].version)).await.unwrap().expect("free");
            store.release(1, "b", &third).await.unwrap();
            assert_eq!(store.ownership(&released).await.unwrap()[&1].owner, "c", "it is no longer b's to release");
        });
    }
}
