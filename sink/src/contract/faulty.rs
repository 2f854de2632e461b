//! A store that fails by plan: before a request, or after it was applied, so that its answer is lost.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::Semaphore;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    FailsBefore,
    AppliedButAnswerLost,
    Slow,
    /// Nothing happens until the gate is opened, or for long.
    Held,
    /// As a right taken away: waiting alone does not help.
    Denied,
}

#[derive(Debug)]
pub(super) struct Faulty {
    inner: Arc<dyn ObjectStore>,
    /// For each put in turn; then none.
    plan: Mutex<Vec<Fault>>,
    pub(super) puts: AtomicU32,
    /// Closed: what was held goes on, and nothing is held any more.
    pub(super) gate: Semaphore,
}

impl Faulty {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, plan: &[Fault]) -> Arc<Self> {
        let plan = Mutex::new(plan.iter().rev().copied().collect());
        Arc::new(Faulty { inner, plan, puts: AtomicU32::new(0), gate: Semaphore::new(0) })
    }

    fn lost() -> Error {
        Error::Generic { store: "faulty", source: "the answer was lost".into() }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

#[async_trait::async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.puts.fetch_add(1, Ordering::Relaxed);
        let fault = self.plan.lock().expect("not poisoned").pop().unwrap_or(Fault::None);
        match fault {
            Fault::None => {}
            Fault::FailsBefore => return Err(Self::lost()),
            Fault::AppliedButAnswerLost => {
                self.inner.put_opts(location, payload, options).await?;
                return Err(Self::lost());
            }
            Fault::Slow => tokio::time::sleep(Duration::from_millis(30)).await,
            Fault::Held => {
                // However it ends, the request goes on.
                let _ = tokio::time::timeout(Duration::from_secs(10), self.gate.acquire()).await;
            }
            Fault::Denied => {
                return Err(Error::PermissionDenied { path: location.to_string(), source: "no".into() });
            }
        }
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
