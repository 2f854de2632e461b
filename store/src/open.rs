//! From an address and the configuration to a client. No request is made here.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use object_store::aws::AmazonS3Builder;
use object_store::azure::{AzureConfigKey, AzureCredentialProvider, MicrosoftAzureBuilder};
use object_store::memory::InMemory;
use object_store::path::Path;
use types::Secret;

use crate::address::{Address, EMULATOR_ACCOUNT, printable};
use crate::folder::DurableFolder;
use crate::limits::Limits;
use crate::{Config, Error, Location, StoreKind};

const EMULATOR_ENDPOINT: &str = "http://127.0.0.1:10000";

/// Understands the URL, reads the secrets that the configuration refers to, and builds the client.
///
/// # Errors
/// If the URL or the configuration cannot be used; nothing is asked of the store yet (see [`crate::check`]).
pub fn open(url: &str, config: &Config) -> Result<Location, Error> {
    open_for(url, config, 0)
}

/// As [`open`], for objects of up to `bytes_max` bytes: the client gives a request as much time as such an object takes.
/// It does so for small ones too, so their callers put [`Location::within`] around them.
///
/// # Errors
/// As [`open`].
pub fn open_for(url: &str, config: &Config, bytes_max: u64) -> Result<Location, Error> {
    let limits = Limits::new(config, bytes_max);
    match Address::parse(url)? {
        Address::Local(root) => local(root, url, limits),
        Address::Memory { name, prefix } => Ok(memory(name, prefix, limits)),
        Address::Azure { container, prefix, account, endpoint } => {
            Azure { url, container, prefix, account, endpoint }.open(config, limits)
        }
        Address::S3 { bucket, prefix } => s3(url, bucket, prefix, config, limits),
    }
}

fn local(root: PathBuf, url: &str, limits: Limits) -> Result<Location, Error> {
    let prefix = Path::from_absolute_path(&root).map_err(|e| unusable(url, e.into()))?;
    Ok(Location {
        store: Arc::new(DurableFolder::new(&root)),
        prefix,
        display: root.display().to_string(),
        kind: StoreKind::Local,
        limits,
        root: "file:".to_owned(),
        container: root.display().to_string(),
        account: String::new(),
        endpoint: String::new(),
        local_root: Some(root),
    })
}

/// Every memory store of this process by name. They live as long as the process: they are for tests and dry runs.
static MEMORY: LazyLock<Mutex<HashMap<String, Arc<InMemory>>>> = LazyLock::new(Mutex::default);

fn memory(name: String, prefix: Path, limits: Limits) -> Location {
    let mut stores = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let store = Arc::clone(stores.entry(name.clone()).or_default());
    Location {
        store,
        display: join(&format!("memory://{name}"), &prefix),
        prefix,
        kind: StoreKind::Memory,
        limits,
        local_root: None,
        root: format!("memory:{name}"),
        container: name,
        account: String::new(),
        endpoint: String::new(),
    }
}

struct Azure<'a> {
    url: &'a str,
    container: String,
    prefix: Path,
    account: Option<String>,
    endpoint: Option<String>,
}

impl Azure<'_> {
    fn open(self, config: &Config, limits: Limits) -> Result<Location, Error> {
        let account = match &self.account {
            Some(account) => Some(account.clone()),
            None => config.account.as_deref().map(by_reference).transpose()?,
        };
        let emulated = config.emulator || account.as_deref() == Some(EMULATOR_ACCOUNT);
        let account = account
            .or_else(|| emulated.then(|| EMULATOR_ACCOUNT.to_owned()))
            .or_else(|| std::env::var("AZURE_STORAGE_ACCOUNT_NAME").ok())
            .ok_or_else(|| Error::MissingAccount { url: printable(self.url) })?;
        let endpoint = self.endpoint(&account, emulated, config);
        if endpoint.starts_with("http://") && !emulated && !config.allow_plaintext {
            return Err(Error::Plaintext { endpoint });
        }

        let key = reveal("storage.key", config.key.as_ref())?;
        let sas = reveal("storage.sas", config.sas.as_ref())?;
        let anonymous_here = key.is_none() && sas.is_none() && !emulated;
        // Only the environment's own identity is looked for in the environment; what is configured is the whole truth otherwise.
        let mut builder = if anonymous_here { MicrosoftAzureBuilder::from_env() } else { MicrosoftAzureBuilder::new() };
        if emulated && key.is_none() && sas.is_none() {
            builder = builder.with_credentials(emulator_credentials(self.url)?);
        }
        if let Some(key) = key {
            builder = builder.with_access_key(key);
        }
        if let Some(sas) = sas {
            builder = builder.with_config(AzureConfigKey::SasKey, sas.trim_start_matches('?'));
        }
        // The client's own emulator mode reads its address from an environment variable, so the emulator is
        // spoken to as an account with an endpoint of its own.
        let store = builder
            .with_use_emulator(false)
            .with_account(&account)
            .with_container_name(&self.container)
            .with_endpoint(endpoint.clone())
            .with_client_options(limits.client().with_allow_http(endpoint.starts_with("http://")))
            .with_retry(limits.retry())
            .build()
            .map_err(|e| unusable(self.url, e))?;

        let base = match &self.endpoint {
            Some(endpoint) if !emulated => {
                let domain = endpoint.split_once("://").map_or("", |(_, host)| host).replacen(".blob.", ".dfs.", 1);
                format!("abfss://{}@{domain}", self.container)
            }
            _ => format!("az://{}", self.container),
        };
        Ok(Location {
            store: Arc::new(store),
            display: join(&base, &self.prefix),
            prefix: self.prefix,
            kind: StoreKind::Azure,
            limits,
            local_root: None,
            root: format!("azure:{endpoint}/{}", self.container),
            container: self.container,
            account,
            endpoint: printable(&endpoint),
        })
    }

    fn endpoint(&self, account: &str, emulated: bool, config: &Config) -> String {
        if let Some(endpoint) = &self.endpoint {
            return endpoint.clone();
        }
        let endpoint = match &config.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None if emulated => EMULATOR_ENDPOINT.to_owned(),
            None => return format!("https://{account}.blob.core.windows.net"),
        };
        let suffix = format!("/{account}");
        if emulated && !endpoint.ends_with(&suffix) { endpoint + &suffix } else { endpoint }
    }
}

/// The emulator's published key, from the client library, which knows it but does not export it.
pub(crate) fn emulator_credentials(url: &str) -> Result<AzureCredentialProvider, Error> {
    let emulator = MicrosoftAzureBuilder::new()
        .with_use_emulator(true)
        .with_container_name("any")
        .build()
        .map_err(|e| unusable(url, e))?;
    Ok(Arc::clone(emulator.credentials()))
}

fn s3(url: &str, bucket: String, prefix: Path, config: &Config, limits: Limits) -> Result<Location, Error> {
    if let Some(endpoint) = config.endpoint.as_deref().filter(|endpoint| endpoint.starts_with("http://"))
        && !config.allow_plaintext
    {
        return Err(Error::Plaintext { endpoint: printable(endpoint) });
    }
    let id = reveal("storage.access_key_id", config.access_key_id.as_ref())?;
    let secret = reveal("storage.secret_access_key", config.secret_access_key.as_ref())?;
    let mut builder = match (id, secret) {
        (Some(id), Some(secret)) => AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret),
        (None, None) => AmazonS3Builder::from_env(),
        _ => return Err(Error::HalfKey),
    };
    if let Some(region) = &config.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/')).with_virtual_hosted_style_request(false);
    }
    let store = builder
        .with_bucket_name(&bucket)
        .with_client_options(limits.client().with_allow_http(config.allow_plaintext))
        .with_retry(limits.retry())
        .build()
        .map_err(|e| unusable(url, e))?;
    let endpoint = config.endpoint.clone().unwrap_or_default();
    let of_region = || format!("https://s3.{}.amazonaws.com", config.region.as_deref().unwrap_or("REGION"));
    Ok(Location {
        store: Arc::new(store),
        display: join(&format!("s3://{bucket}"), &prefix),
        prefix,
        kind: StoreKind::S3,
        limits,
        local_root: None,
        root: format!("s3:{endpoint}/{bucket}"),
        container: bucket,
        account: endpoint,
        endpoint: config.endpoint.as_deref().map_or_else(of_region, printable),
    })
}

fn by_reference(text: &str) -> Result<String, Error> {
    if !text.starts_with("env:") && !text.starts_with("file:") {
        return Ok(text.to_owned());
    }
    let secret = Secret::parse(text).map_err(|reason| Error::Secret { setting: "storage.account", reason })?;
    Ok(reveal("storage.account", Some(&secret))?.unwrap_or_default())
}

fn reveal(setting: &'static str, secret: Option<&Secret>) -> Result<Option<String>, Error> {
    secret.map(Secret::reveal).transpose().map_err(|reason| Error::Secret { setting, reason })
}

fn unusable(url: &str, error: object_store::Error) -> Error {
    Error::Unusable { url: printable(url), reason: crate::error::brief(&error) }
}

fn join(base: &str, prefix: &Path) -> String {
    if prefix.as_ref().is_empty() { base.to_owned() } else { format!("{base}/{prefix}") }
}
