//! How far a receiver was told of a partition: one small object, written after the receiver has acknowledged.
//!
//! It is written on condition that it is still what was last seen, so that of two processes that believe to own a partition neither puts it
//! back unknowingly. Were it put back all the same, events would be sent again, and none lost.

use bytes::Bytes;
use object_store::{ObjectStore, PutMode, PutOptions, PutPayload, UpdateVersion};
use serde::{Deserialize, Serialize};
use store::{Location, StoreKind};
use types::PartitionId;

use crate::Error;

/// Everything before it was acknowledged, or begins too early to be forwarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Of the log, as of the last commit that was passed.
    pub genesis: String,
    /// The number of the next commit to be looked at.
    pub next: u64,
    /// Rows in files up to there, by the log's own account: what is missing later is noticed by it.
    pub rows: u64,
}

/// A cursor as it was found, and by what to tell whether it is still so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub cursor: Cursor,
    pub version: String,
}

/// What became of a cursor that was to be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// It is there, as this version.
    Done(String),
    /// It is not what was seen: somebody else moved it, or an earlier try of ours did.
    Elsewhere,
}

/// One receiver's cursors.
pub trait Cursors {
    /// None if there was none yet.
    ///
    /// # Errors
    /// If the store does not answer, or what it has is no cursor.
    fn load(&self, partition: &PartitionId) -> impl Future<Output = Result<Option<Stored>, Error>>;

    /// Writes it if what is there is what was `seen`: this version, or nothing. An error leaves open whether it is there.
    ///
    /// # Errors
    /// If the store does not answer.
    fn store(
        &self,
        partition: &PartitionId,
        cursor: &Cursor,
        seen: Option<&str>,
    ) -> impl Future<Output = Result<Moved, Error>>;
}

/// Cursors in the place of the state.
pub struct StoredCursors<N> {
    place: Location,
    /// The name of a partition's cursor in that place.
    name: N,
}

impl<N: Fn(&PartitionId) -> String> StoredCursors<N> {
    pub fn new(place: Location, name: N) -> Self {
        StoredCursors { place, name }
    }

    async fn read(&self, partition: &PartitionId) -> Result<Option<(Bytes, String)>, store::Error> {
        let path = self.place.path(&(self.name)(partition));
        let read = async {
            let found = self.place.store.get_opts(&path, object_store::GetOptions::default()).await?;
            let tag = found.meta.e_tag.clone();
            Ok((found.bytes().await?, tag))
        };
        match self.limited(read).await {
            // Of a local file the content is the version: tags of files tell only when they were written.
            Ok((bytes, _)) if self.place.kind == StoreKind::Local => {
                let version = String::from_utf8_lossy(&bytes).into_owned();
                Ok(Some((bytes, version)))
            }
            Ok((bytes, tag)) => Ok(Some((bytes, tag.unwrap_or_default()))),
            Err(store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn limited<T>(&self, request: impl Future<Output = object_store::Result<T>>) -> Result<T, store::Error> {
        match tokio::time::timeout(self.place.within(0), request).await {
            Ok(answer) => answer.map_err(|error| store::Error::from_store(&self.place, &error)),
            Err(_) => Err(store::Error::Timeout { place: self.place.display.clone() }),
        }
    }

    /// How it is written so that it replaces what was seen only; none if that is gone already.
    async fn mode(&self, partition: &PartitionId, seen: Option<&str>) -> Result<Option<PutMode>, store::Error> {
        Ok(match seen {
            None => Some(PutMode::Create),
            // Files know no conditions. There one process is the rule, and the moment between is short.
            Some(version) if self.place.kind == StoreKind::Local => {
                let is_same = self.read(partition).await?.is_some_and(|(_, found)| found == version);
                is_same.then_some(PutMode::Overwrite)
            }
            // A store without tags.
            Some("") => Some(PutMode::Overwrite),
            Some(tag) => Some(PutMode::Update(UpdateVersion { e_tag: Some(tag.to_owned()), version: None })),
        })
    }
}

impl<N: Fn(&PartitionId) -> String> Cursors for StoredCursors<N> {
    async fn load(&self, partition: &PartitionId) -> Result<Option<Stored>, Error> {
        let Some((bytes, version)) = self.read(partition).await? else { return Ok(None) };
        let cursor = serde_json::from_slice(&bytes).map_err(|error| Error::Cursor {
            place: self.place.display_of(&(self.name)(partition)),
            reason: error.to_string(),
        })?;
        Ok(Some(Stored { cursor, version }))
    }

    async fn store(&self, partition: &PartitionId, cursor: &Cursor, seen: Option<&str>) -> Result<Moved, Error> {
        let text = serde_json::json!(cursor).to_string();
        let Some(mode) = self.mode(partition, seen).await? else { return Ok(Moved::Elsewhere) };
        let path = self.place.path(&(self.name)(partition));
        let put = self.place.store.put_opts(&path, PutPayload::from(text.clone()), PutOptions::from(mode));
        match self.limited(put).await {
            Ok(_) if self.place.kind == StoreKind::Local => Ok(Moved::Done(text)),
            Ok(put) => Ok(Moved::Done(put.e_tag.unwrap_or_default())),
            Err(store::Error::Exists { .. } | store::Error::NotFound { .. }) => Ok(Moved::Elsewhere),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(next: u64) -> Cursor {
        Cursor { genesis: "0000000a".into(), next, rows: next * 10 }
    }

    fn partition() -> PartitionId {
        PartitionId { topic: "t".into(), index: 3 }
    }

    async fn laws(url: &str) {
        let open = || {
            let place = store::open(url, &store::Config::default()).unwrap();
            StoredCursors::new(place, |partition: &PartitionId| format!("p/{partition}/forwarded/x"))
        };
        let (one, other) = (open(), open());
        assert_eq!(one.load(&partition()).await.unwrap(), None);
        let Moved::Done(first) = one.store(&partition(), &cursor(1), None).await.unwrap() else { panic!("{url}") };
        assert_eq!(other.store(&partition(), &cursor(9), None).await.unwrap(), Moved::Elsewhere, "{url}: it is there");
        let found = other.load(&partition()).await.unwrap().expect("it is there");
        assert_eq!(found, Stored { cursor: cursor(1), version: first.clone() }, "{url}");
        let moved = other.store(&partition(), &cursor(5), Some(&found.version)).await.unwrap();
        assert!(matches!(&moved, Moved::Done(version) if *version != first), "{url}: {moved:?}");
        let late = one.store(&partition(), &cursor(2), Some(&first)).await.unwrap();
        assert_eq!(late, Moved::Elsewhere, "{url}: whoever is behind puts nothing back");
        assert_eq!(one.load(&partition()).await.unwrap().map(|stored| stored.cursor), Some(cursor(5)), "{url}");
    }

    #[tokio::test]
    async fn a_cursor_moves_from_what_was_seen_only() {
        laws("memory://cursors").await;
        let folder = tempfile::tempdir().unwrap();
        laws(&folder.path().join("state").display().to_string()).await;
    }

    #[tokio::test]
    async fn what_is_no_cursor_is_told_and_not_begun_anew() {
        let place = store::open("memory://no-cursor", &store::Config::default()).unwrap();
        let path = place.path("x");
        object_store::ObjectStoreExt::put(&*place.store, &path, "{}".into()).await.unwrap();
        let error = StoredCursors::new(place, |_: &PartitionId| "x".to_owned()).load(&partition()).await.unwrap_err();
        assert!(matches!(&error, Error::Cursor { place, .. } if place.ends_with("/x")), "{error}");
        assert!(error.hint().is_some());
    }
}
