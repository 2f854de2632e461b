//! A folder on a local disk as an object store whose puts are atomic and durable.
//!
//! One idea: a file is finished *beside* the folder, never inside (readers take everything there), and then moved in, so
//! that a name shows a whole file or nothing, through power cuts too. Reading, listing, deleting and copying are left to
//! the client library's own file system; what moves and syncs when is in [`put`].

mod disk;
mod put;
mod temp;

use std::fmt;
use std::io;
use std::path::Path as FilePath;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

use disk::RealDisk;
use put::{Folder, How, Outcome};

pub(crate) use temp::{check, random, sweep};

#[derive(Debug)]
pub(crate) struct DurableFolder {
    inner: LocalFileSystem,
    folder: Arc<Folder<RealDisk>>,
}

impl DurableFolder {
    /// Takes paths from the file system's root on, like the store inside; `root` is where its temp folder is beside.
    pub(crate) fn new(root: &FilePath) -> Self {
        DurableFolder { inner: LocalFileSystem::new().with_fsync(true), folder: Arc::new(Folder::new(RealDisk, root)) }
    }

    fn unable(&self, operation: &str) -> object_store::Error {
        object_store::Error::NotImplemented { operation: operation.to_owned(), implementer: self.to_string() }
    }
}

impl fmt::Display for DurableFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableFolder({})", self.folder.root().display())
    }
}

#[async_trait]
impl ObjectStore for DurableFolder {
    /// When it returns, the file survives a power cut. A put whose future is dropped still goes on to its end.
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let how = match options.mode {
            PutMode::Create => How::Create,
            PutMode::Overwrite => How::Overwrite,
            PutMode::Update(_) => return Err(self.unable("`put_opts` with `PutMode::Update`")),
        };
        if !options.attributes.is_empty() {
            return Err(self.unable("`put_opts` with attributes"));
        }
        let target = self.inner.path_to_filesystem(location)?;
        let folder = Arc::clone(&self.folder);
        match blocking(move || folder.put(&target, &payload, how)).await {
            Ok(Outcome::Done) => Ok(PutResult { e_tag: None, version: None, extensions: Default::default() }),
            Ok(Outcome::Taken) => Err(object_store::Error::AlreadyExists {
                path: location.to_string(),
                source: io::Error::from(io::ErrorKind::AlreadyExists).into(),
            }),
            Err(error) => Err(generic(error)),
        }
    }

    /// Parts would have to wait beside the folder for as long as a caller likes; nobody here needs them.
    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(self.unable("`put_multipart_opts`"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[std::ops::Range<u64>]) -> Result<Vec<bytes::Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
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

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

/// With the cause inside, so that [`crate::Error::from_store`] recognises full disks and missing rights.
fn generic(error: io::Error) -> object_store::Error {
    object_store::Error::Generic { store: "DurableFolder", source: Box::new(error) }
}

/// On a thread for work that blocks; without a runtime on this one, as the store inside does it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(work).await.map_err(io::Error::other)?,
        Err(_) => work(),
    }
}

#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;
