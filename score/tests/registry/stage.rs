//! Places to be registries, one for each law and store, and the models to put there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use object_store::{ObjectStore, ObjectStoreExt};
use score::registry::Note;
use score::{Config, Error, Kernel, Model, ModelKey, ModelSet, Place, Step};

pub(crate) struct Stage {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) prefix: Path,
    /// Of a folder: it goes with this.
    folder: Option<tempfile::TempDir>,
}

/// A module of tests for each law: in memory, in a folder, in the Azurite emulator.
macro_rules! each_store {
    ($($($law:ident)::+),+ $(,)?) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn in_memory() {
            $($($law)::+(Stage::memory()).await;)+
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn in_afolder() {
            $($($law)::+(Stage::folder()).await;)+
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn in_azurite() {
            $(if let Some(stage) = Stage::azurite().await { $($law)::+(stage).await; })+
        }
    };
}
pub(crate) use each_store;

impl Stage {
    pub(crate) fn memory() -> Stage {
        Stage::open(&format!("memory://registry-{}/here", number()), &store::Config::default(), None)
    }

    pub(crate) fn folder() -> Stage {
        let folder = tempfile::tempdir().expect("temp folder");
        let place = folder.path().join("registry");
        std::fs::create_dir(&place).expect("created");
        Stage::open(&place.display().to_string(), &store::Config::default(), Some(folder))
    }

    pub(crate) async fn azurite() -> Option<Stage> {
        let Ok(endpoint) = std::env::var("ATALAIA_TEST_AZURITE") else {
            assert!(std::env::var_os("ATALAIA_TEST_REQUIRED").is_none(), "ATALAIA_TEST_AZURITE is not set");
            eprintln!("SKIPPED: ATALAIA_TEST_AZURITE is not set");
            return None;
        };
        let config = store::Config { emulator: true, endpoint: Some(endpoint), ..store::Config::default() };
        let url = format!("az://registry-{}-{}/here", std::process::id(), number());
        let location = store::open(&url, &config).expect("opens");
        store::emulator::create_container(&location).await.expect("created");
        Some(Stage::open(&url, &config, None))
    }

    fn open(url: &str, config: &store::Config, folder: Option<tempfile::TempDir>) -> Stage {
        let location = store::open(url, config).expect("opens");
        Stage { store: location.store, prefix: location.prefix, folder }
    }

    /// The store, which takes so long to write that all who race have looked before the first has written. Files cannot be read through it.
    pub(crate) fn slow_to_write(&self) -> Arc<dyn ObjectStore> {
        let slow = ThrottleConfig { wait_put_per_call: Duration::from_millis(50), ..ThrottleConfig::default() };
        match self.folder {
            Some(_) => Arc::clone(&self.store),
            None => Arc::new(ThrottledStore::new(Arc::clone(&self.store), slow)),
        }
    }

    pub(crate) fn config(&self) -> Config {
        Config { models: "the place".into(), ..Config::default() }
    }

    pub(crate) fn place(&self) -> Place {
        Place::new(self.config(), Arc::clone(&self.store), self.prefix.clone())
    }

    pub(crate) async fn load(&self) -> Result<Arc<ModelSet>, Error> {
        let location = (Arc::clone(&self.store), self.prefix.clone());
        score::load(&self.config(), Some(location), &|_, _| {}).await
    }

    fn path(&self, name: &str) -> Path {
        self.prefix.parts().chain(Path::from(name).parts()).collect()
    }

    pub(crate) async fn remove(&self, name: &str) {
        self.store.delete(&self.path(name)).await.expect("deleted");
    }

    pub(crate) async fn read(&self, name: &str) -> Bytes {
        self.store.get(&self.path(name)).await.expect("there").bytes().await.expect("read")
    }

    pub(crate) async fn write(&self, name: &str, bytes: impl Into<Bytes>) {
        self.store.put(&self.path(name), bytes.into().into()).await.expect("written");
    }
}

/// A model that tells by its intercept which one it is.
pub(crate) fn model(device: &str, sensor: &str, value: f64) -> Model {
    Model {
        key: ModelKey::series(device, sensor),
        features: None,
        steps: vec![Step::Subtract(vec![50.0]), Step::Divide(vec![2.0])],
        kernel: Kernel::Rbf { gamma: 0.5 },
        support_vectors: vec![-1.0, 0.0, 1.0],
        coefficients: vec![0.5, 1.0, 0.5],
        intercept: -value,
        threshold: None,
        version: "v".into(),
        source: "a test".into(),
        trained_at: None,
        rows: None,
    }
}

/// Seconds of the year 2026, as if they were given.
pub(crate) fn note(number: u64) -> Note {
    Note { text: format!("note {number}"), at: format!("2026-01-01T00:00:{number:02}Z"), by: Some("a test".into()) }
}

/// Tests of one process do not meet.
fn number() -> u32 {
    static USED: AtomicU32 = AtomicU32::new(0);
    USED.fetch_add(1, Ordering::Relaxed)
}
