//! The least rights for datasets: look, and create what is not there. Nothing is replaced, nothing removed.
//!
//! Every law runs with them, and only the sink under test has no others: laws that play a stranger go to the store itself.

use std::fmt;
use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

use crate::Places;

/// The same places, with no more rights for datasets than a role without deletion and overwriting gives.
pub(super) fn least(mut places: Places) -> Places {
    for dataset in [&mut places.predictions, &mut places.late, &mut places.quarantine, &mut places.runs] {
        dataset.store = Arc::new(CreateOnly { inner: Arc::clone(&dataset.store) });
    }
    places
}

#[derive(Debug)]
struct CreateOnly {
    inner: Arc<dyn ObjectStore>,
}

fn forbidden(path: &Path) -> Error {
    Error::PermissionDenied { path: path.to_string(), source: "the role may only read, list and create".into() }
}

impl fmt::Display for CreateOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "create-only {}", self.inner)
    }
}

#[async_trait::async_trait]
impl ObjectStore for CreateOnly {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        match options.mode {
            PutMode::Create => self.inner.put_opts(location, payload, options).await,
            PutMode::Overwrite | PutMode::Update(_) => Err(forbidden(location)),
        }
    }

    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(forbidden(location))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        locations.and_then(|path| async move { Err(forbidden(&path)) }).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, to: &Path, _: CopyOptions) -> Result<()> {
        Err(forbidden(to))
    }

    async fn rename_opts(&self, from: &Path, _: &Path, _: RenameOptions) -> Result<()> {
        Err(forbidden(from))
    }
}

#[test]
fn more_than_that_is_refused() {
    use object_store::ObjectStoreExt;

    let bench = super::Bench::memory();
    let stage = bench.anew();
    let (open, least) = (&stage.places, least(stage.places.clone()));
    stage.runtime.block_on(async {
        for (free, bound) in [(&open.predictions, &least.predictions), (&open.runs, &least.runs)] {
            let path = bound.path("x");
            let create = || PutOptions::from(PutMode::Create);
            bound.store.put_opts(&path, "1".into(), create()).await.expect("creates");
            let denied = [
                bound.store.put(&path, "2".into()).await.err(),
                bound.store.delete(&path).await.err(),
                bound.store.copy(&path, &bound.path("y")).await.err(),
                bound.store.rename(&path, &bound.path("y")).await.err(),
            ];
            for error in denied {
                assert!(matches!(error, Some(Error::PermissionDenied { .. })), "{error:?}");
            }
            assert_eq!(free.store.get(&path).await.expect("is there").bytes().await.expect("bytes"), "1");
        }
        least.state.store.put(&least.state.path("x"), "1".into()).await.expect("state is free");
        least.state.store.delete(&least.state.path("x")).await.expect("state is free");
    });
}
