//! Hubs, their partitions, and who reads them. Shared by all connections.

mod file;
mod log;
mod readers;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use serde::Serialize;

pub(crate) use log::Log;
pub(crate) use readers::{Reader, ReaderStatistics, Readers};

use crate::clock;
use crate::frames::Refusal;
use crate::hash;
use crate::message::Draft;
use crate::options::{HubOptions, Options, PARTITIONS_MAX};

/// What survives a panic of another connection: the tests have failed then anyway.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct Hub {
    pub(crate) name: String,
    pub(crate) created_ms: i64,
    groups: Vec<String>,
    partitions: RwLock<Vec<Arc<Partition>>>,
    next: AtomicUsize,
    geo_offsets: bool,
    folder: Option<PathBuf>,
}

pub(crate) struct Partition {
    pub(crate) id: usize,
    log: Mutex<Log>,
    readers: Mutex<Readers>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PartitionStatistics {
    pub(crate) id: usize,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) events: usize,
    pub(crate) readers: Vec<ReaderStatistics>,
}

pub(crate) struct Hubs {
    hubs: BTreeMap<String, Arc<Hub>>,
}

impl Hubs {
    pub(crate) fn open(options: &Options) -> io::Result<Self> {
        let hubs = options.hubs.iter().map(|one| Ok((one.name.to_lowercase(), Arc::new(Hub::open(one, options)?))));
        Ok(Self { hubs: hubs.collect::<io::Result<_>>()? })
    }

    /// Names of hubs know no case.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Hub>, Refusal> {
        self.hubs.get(&name.to_lowercase()).cloned().ok_or_else(|| not_found(name))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Hub>> {
        self.hubs.values()
    }
}

fn not_found(entity: &str) -> Refusal {
    let text = format!(
        "The messaging entity '{entity}' could not be found. To know more visit https://aka.ms/sbResourceMgrExceptions."
    );
    Refusal::new("amqp:not-found", text)
}

impl Hub {
    fn open(hub: &HubOptions, options: &Options) -> io::Result<Self> {
        let folder = options.data.as_ref().map(|data| data.join(hub.name.to_lowercase()));
        let held = folder.as_deref().map_or(0, file::File::partitions);
        let mut groups = vec!["$Default".to_owned()];
        groups.extend(options.consumer_groups.iter().cloned());
        let new = Self {
            name: hub.name.clone(),
            created_ms: folder.as_deref().map_or_else(|| Ok(clock::now_ms()), file::created_ms)?,
            groups,
            partitions: RwLock::new(Vec::new()),
            next: AtomicUsize::new(0),
            geo_offsets: options.geo_offsets,
            folder,
        };
        new.add_partitions(hub.partitions.max(held))?;
        Ok(new)
    }

    pub(crate) fn add_partitions(&self, count: usize) -> io::Result<()> {
        let mut partitions = self.partitions.write().unwrap_or_else(PoisonError::into_inner);
        for id in partitions.len()..(partitions.len() + count).min(PARTITIONS_MAX) {
            let log = match &self.folder {
                Some(folder) => Log::with_file(self.geo_offsets, file::File::open(folder, id)?)?,
                None => Log::in_memory(self.geo_offsets),
            };
            partitions.push(Arc::new(Partition { id, log: Mutex::new(log), readers: Mutex::default() }));
        }
        Ok(())
    }

    pub(crate) fn partitions(&self) -> Vec<Arc<Partition>> {
        self.partitions.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn partition(&self, id: &str) -> Result<Arc<Partition>, Refusal> {
        let partitions = self.partitions();
        let found = id.parse::<usize>().ok().and_then(|id| partitions.get(id));
        found.cloned().ok_or_else(|| {
            let text = format!(
                "The specified partition is invalid for an EventHub partition sender or receiver. It should be between 0 and {}.",
                partitions.len().saturating_sub(1)
            );
            Refusal::new("com.microsoft:argument-out-of-range", text)
        })
    }

    /// The group as it is spelled here.
    pub(crate) fn group(&self, name: &str) -> Result<String, Refusal> {
        let found = self.groups.iter().find(|group| group.eq_ignore_ascii_case(name));
        found.cloned().ok_or_else(|| not_found(&format!("{}/ConsumerGroups/{name}", self.name)))
    }

    /// Where a delivery to the hub itself goes: by its key, or in turn.
    pub(crate) fn route(&self, key: Option<&str>) -> Result<Arc<Partition>, Refusal> {
        let partitions = self.partitions();
        let index = match key {
            Some(key) => hash::partition(key, partitions.len()),
            None => self.next.fetch_add(1, Ordering::Relaxed) % partitions.len().max(1),
        };
        partitions.get(index).cloned().ok_or_else(|| not_found(&self.name))
    }
}

impl Partition {
    pub(crate) fn append(&self, drafts: &[Draft<'_>]) -> io::Result<()> {
        lock(&self.log).append(drafts)?;
        lock(&self.readers).wake();
        Ok(())
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }

    pub(crate) fn readers(&self) -> MutexGuard<'_, Readers> {
        lock(&self.readers)
    }

    pub(crate) fn statistics(&self) -> PartitionStatistics {
        let readers = self.readers().statistics();
        let log = self.log();
        let (first, last) = (log.first_number(), log.next_number() - 1);
        PartitionStatistics { id: self.id, first, last, events: log.held(), readers }
    }
}
