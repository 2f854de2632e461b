//! A dataset's or the state's place, and what the protocol does there, each as one request with a definite end.
//!
//! A name shows either a whole object or nothing: one PUT on object stores, a link to a finished file on local disks.
//! Every request has a limit in time that grows with what it carries.

use std::ops::Range;
use std::time::Instant;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use store::{Error, Location, StoreKind};
use tracing::Instrument;

use crate::metrics;

/// What one read of a record's beginning brings: nearly every header, and little of the rest.
const BEGINNING_BYTES: u64 = 64 << 10;

#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) location: Location,
}

/// What became of an object that was to be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Creation {
    Created,
    /// The name is taken: by ours, if an earlier try landed.
    Exists,
}

impl Place {
    pub(crate) fn new(location: Location) -> Self {
        Place { location }
    }

    /// Creates an object if there is none. An error leaves open whether it is there.
    pub(crate) async fn create(&self, name: &str, bytes: &Bytes) -> Result<Creation, Error> {
        let path = self.location.path(name);
        let options = PutOptions::from(PutMode::Create);
        let put = self.location.store.put_opts(&path, PutPayload::from(bytes.clone()), options);
        match self.limited("create", bytes.len() as u64, put).await {
            Ok(_) => Ok(Creation::Created),
            Err(Error::Exists { .. }) => Ok(Creation::Exists),
            Err(error) => Err(error),
        }
    }

    /// Creates an object, or replaces it whole.
    pub(crate) async fn replace(&self, name: &str, bytes: &Bytes) -> Result<(), Error> {
        let path = self.location.path(name);
        let put = self.location.store.put(&path, PutPayload::from(bytes.clone()));
        self.limited("put", bytes.len() as u64, put).await.map(drop)
    }

    /// None if there is no such object.
    pub(crate) async fn read(&self, name: &str, bytes_max: u64) -> Result<Option<Bytes>, Error> {
        self.get(name, GetOptions::default(), bytes_max).await
    }

    /// The first bytes of an object.
    pub(crate) async fn read_beginning(&self, name: &str) -> Result<Option<Bytes>, Error> {
        let range = Some(GetRange::Bounded(0..BEGINNING_BYTES));
        self.get(name, GetOptions { range, ..GetOptions::default() }, BEGINNING_BYTES).await
    }

    /// A part of an object.
    pub(crate) async fn read_range(&self, name: &str, range: Range<u64>) -> Result<Option<Bytes>, Error> {
        let bytes = range.end.saturating_sub(range.start);
        let range = Some(GetRange::Bounded(range));
        self.get(name, GetOptions { range, ..GetOptions::default() }, bytes).await
    }

    async fn get(&self, name: &str, options: GetOptions, bytes_max: u64) -> Result<Option<Bytes>, Error> {
        let path = self.location.path(name);
        let read = async { self.location.store.get_opts(&path, options).await?.bytes().await };
        absent_is_none(self.limited("get", bytes_max, read).await)
    }

    /// Its length; none if there is no such object.
    pub(crate) async fn length(&self, name: &str) -> Result<Option<u64>, Error> {
        let path = self.location.path(name);
        let head = self.limited("head", 0, self.location.store.head(&path)).await;
        absent_is_none(head.map(|meta| meta.size))
    }

    /// One that is not there is deleted.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Error> {
        let path = self.location.path(name);
        absent_is_none(self.limited("delete", 0, self.location.store.delete(&path)).await).map(drop)
    }

    /// Everything directly or indirectly in a folder; of names after `after` only, if given.
    pub(crate) async fn list(&self, folder: &str, after: Option<&str>) -> Result<Vec<ObjectMeta>, Error> {
        let prefix = self.location.path(folder);
        let listing = match after {
            Some(after) => self.location.store.list_with_offset(Some(&prefix), &self.location.path(after)),
            None => self.location.store.list(Some(&prefix)),
        };
        self.limited("list", 0, listing.try_collect()).await
    }

    /// The first object of a folder after `after`, if it is wanted; of a local folder, whose order is its own, any that is.
    pub(crate) async fn next_after(
        &self,
        folder: &str,
        after: &str,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Option<String>, Error> {
        let (prefix, after) = (self.location.path(folder), self.location.path(after));
        let is_ordered = self.location.kind != StoreKind::Local;
        let mut listing = self.location.store.list_with_offset(Some(&prefix), &after);
        let look = async {
            while let Some(meta) = listing.try_next().await? {
                let name = self.name_of(&meta.location).filter(|name| is_wanted(name));
                if is_ordered || name.is_some() {
                    return Ok(name);
                }
            }
            Ok(None)
        };
        self.limited("list", 0, look).await
    }

    /// The name below this place.
    pub(crate) fn name_of(&self, path: &Path) -> Option<String> {
        let below = path.prefix_match(&self.location.prefix)?;
        Some(below.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/"))
    }

    async fn limited<T>(
        &self,
        operation: &'static str,
        bytes: u64,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Error> {
        // A part of the span of a commit, where commits have spans: those of this target are for tracing alone.
        let span = tracing::info_span!(
            target: "atalaia::trace", "request",
            otel.name = %format_args!("storage {operation}"), otel.kind = "client", otel.done = true,
        );
        let begun = Instant::now();
        let answer = match tokio::time::timeout(self.location.within(bytes), request.instrument(span)).await {
            Ok(answer) => answer.map_err(|error| Error::from_store(&self.location, &error)),
            Err(_) => Err(Error::timed_out(&self.location)),
        };
        metrics::asked(operation, begun.elapsed(), answer.as_ref().err());
        answer
    }
}

fn absent_is_none<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
