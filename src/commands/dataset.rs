//! The Parquet files of one dataset in any folder or URL, whoever wrote them, read one after the other.

use anyhow::Context;
use sink::admin::{Folder, Object};
use store::Location;

use super::parquet_file::File;
use super::progress;
use crate::runtime::Runtime;

/// Files that were listed.
pub(crate) struct Dataset {
    folder: Folder,
    pub(crate) place: String,
    pub(crate) objects: Vec<Object>,
}

impl Dataset {
    /// Lists what is in the place, which must be there.
    pub(crate) fn open(location: Location, what: &str, runtime: &Runtime) -> anyhow::Result<Dataset> {
        let place = location.display.clone();
        let _meter = progress::wait(&format!("listing the {what}"));
        runtime.block_on(store::check(&location)).with_context(|| format!("open the {what} in `{place}`"))?;
        let folder = Folder::new(location);
        let listed = runtime.block_on(folder.objects()).with_context(|| format!("list the {what} in `{place}`"))?;
        let objects = listed.into_iter().filter(|object| object.name.ends_with(".parquet")).collect();
        Ok(Dataset { folder, place, objects })
    }

    /// Only the files of these days, as `2026-01-31`, both included. Names that tell no day stay.
    pub(crate) fn of_days(&mut self, first: &str, last: &str) {
        self.objects.retain(|object| day(&object.name).is_none_or(|day| (first..=last).contains(&day)));
    }

    /// The first day that a name tells, and the last.
    pub(crate) fn days(&self) -> Option<[String; 2]> {
        let days = || self.objects.iter().filter_map(|object| day(&object.name));
        Some([days().min()?.to_owned(), days().max()?.to_owned()])
    }

    /// Of all files together, as they were listed.
    pub(crate) fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.bytes).sum()
    }

    /// Shows each file, in the order of their names.
    pub(crate) fn files(
        &self,
        runtime: &Runtime,
        mut take: impl FnMut(&Object, File) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let read = self.folder.read_each(self.objects.clone(), |object, bytes| {
            let shown = File::open(bytes).and_then(|file| take(&object, file));
            shown.with_context(|| format!("read `{}` of `{}`", object.name, self.place))
        });
        runtime.block_on(read)
    }
}

fn day(name: &str) -> Option<&str> {
    name.split('/').find_map(|part| part.strip_prefix("date="))
}
