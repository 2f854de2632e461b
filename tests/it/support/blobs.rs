//! Containers on the test blob store. Filled and emptied through Azure's own client (`tests/services/blobs.py`), so that
//! what our store code writes is read by something else, and the other way round.

use std::path::Path;

use super::{Judge, services};

/// The blob store that `scripts/services` started.
#[derive(Debug, Clone)]
pub(crate) struct Azurite {
    pub(crate) url: String,
    judge: Judge,
}

/// One container, made for one test.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    pub(crate) name: String,
    azurite: Azurite,
}

// === impl Azurite ===

impl Azurite {
    /// Needs the judges' Python as well.
    pub(crate) fn for_test() -> Option<Self> {
        let url = services::address("ATALAIA_TEST_AZURITE", "Azurite")?;
        Some(Azurite { url, judge: Judge::for_test()? })
    }

    /// A fresh container that no other test knows.
    pub(crate) fn container(&self) -> Container {
        let container = self.named(&services::unique_name());
        container.call("create", &[]);
        container
    }

    /// A container that may not exist.
    pub(crate) fn named(&self, name: &str) -> Container {
        Container { name: name.to_owned(), azurite: self.clone() }
    }

    /// `--set` for storing here; models are read from here too, unless they have rights of their own.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("storage.emulator", "true".to_owned()), ("storage.endpoint", self.url.clone())]
    }
}

// === impl Container ===

impl Container {
    /// `az://container/prefix`.
    pub(crate) fn url(&self, prefix: &str) -> String {
        format!("az://{}/{prefix}", self.name)
    }

    /// Uploads the files below the folder under their relative names; returns how many.
    pub(crate) fn upload(&self, folder: &Path, prefix: &str) -> usize {
        self.call("upload", &[&path(folder), prefix]).lines().count()
    }

    /// Downloads the blobs below the prefix into the folder under their whole names; returns those names.
    pub(crate) fn download(&self, prefix: &str, folder: &Path) -> Vec<String> {
        lines(&self.call("download", &[prefix, &path(folder)]))
    }

    /// The names below the prefix, sorted.
    pub(crate) fn list(&self, prefix: &str) -> Vec<String> {
        lines(&self.call("list", &[prefix]))
    }

    fn call(&self, verb: &str, args: &[&str]) -> String {
        let args = [&[verb, self.azurite.url.as_str(), self.name.as_str()], args].concat();
        self.azurite.judge.run("services/blobs.py", args)
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn path(path: &Path) -> String {
    path.to_str().expect("test folders have plain names").to_owned()
}
