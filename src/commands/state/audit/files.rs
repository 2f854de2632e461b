//! The files: those that records list are there, no others are, no row is there twice, and the sums are the ledgers'.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::Context;
use sink::admin::{DataName, Object};
use sink::{Dataset, Genesis};
use types::{Ledger, Micros, PartitionId};

use super::super::{Desk, time};
use super::Verdict;
use super::logs::Log;
use super::rows::{File, Row};
use super::unique::{self, Twice, Unique};
use crate::commands::output::grouped;
use crate::commands::progress::{self, Unit};

type Logs = BTreeMap<PartitionId, Log>;

/// So many examples of one thing are named.
const EXAMPLES: usize = 10;

/// What is in files, of one beginning of a partition, up to its newest record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    rows: u64,
    readings: u64,
    late: u64,
    quarantined: u64,
}

/// What an object is by its name and the logs.
enum Standing {
    /// A commit's of this beginning; it counts.
    Counted(PartitionId, Genesis),
    /// Committed since the audit began.
    Newer,
    /// Of a beginning that no log knows any more, or of another pipeline: its footer tells.
    Unknown,
    /// No commit's, and why.
    Foreign(String),
}

/// How the files of a dataset were read.
struct Audit<'a> {
    desk: &'a Desk,
    logs: &'a Logs,
    sums: BTreeMap<(PartitionId, String), Sums>,
    unique: Unique,
    twice: Twice,
    devices: Devices,
    /// Of `predictions`, all that may hold rows of ours.
    of_rows: Vec<Object>,
    earlier: BTreeSet<String>,
    /// Of each partition the newest commit that files name and the audit did not see, with one of its files.
    newer: BTreeMap<PartitionId, (u64, String)>,
}

/// Which partition each device was seen in.
#[derive(Default)]
struct Devices {
    partitions: HashMap<u128, u32>,
    moved: HashSet<u128>,
    examples: Vec<String>,
}

pub(super) fn check(desk: &Desk, logs: &Logs, mib: usize, verdict: &mut Verdict) -> anyhow::Result<()> {
    let mut audit = Audit {
        desk,
        logs,
        sums: BTreeMap::new(),
        unique: Unique::new(mib),
        twice: Twice::default(),
        devices: Devices::default(),
        of_rows: Vec::new(),
        earlier: BTreeSet::new(),
        newer: BTreeMap::new(),
    };
    for dataset in Dataset::ALL {
        audit.dataset(dataset, verdict)?;
    }
    verdict.passes = 1;
    while audit.unique.next(&mut audit.twice) {
        audit.read_again(|audit, row| audit.unique.add(hash(row)))?;
        verdict.passes += 1;
    }
    audit.name_duplicates(verdict)?;
    audit.balance(verdict);
    audit.tell_of_devices(verdict);
    audit.are_newer_ones_committed(verdict)?;
    if !audit.earlier.is_empty() {
        let files = grouped(audit.earlier.len() as u64);
        verdict.warning(format!(
            "{files} files are of commits whose records are gone or damaged: their sums cannot be checked"
        ));
    }
    Ok(())
}

fn hash(row: &Row<'_>) -> u128 {
    unique::hash_of(row.device, row.sensor, row.window_start)
}

impl Audit<'_> {
    fn dataset(&mut self, dataset: Dataset, verdict: &mut Verdict) -> anyhow::Result<()> {
        let meter = progress::count(&format!("reading `{dataset}`"), Unit::Bytes, 0);
        let objects = self.desk.sinks.objects(dataset).with_context(|| format!("list `{dataset}`"))?;
        meter.set_total(objects.iter().map(|object| object.bytes).sum());
        for object in &objects {
            self.object(dataset, object, verdict).with_context(|| format!("read `{}` of `{dataset}`", object.name))?;
            meter.add(object.bytes);
        }
        self.listed_are_there(dataset, &objects, verdict);
        Ok(())
    }

    fn object(&mut self, dataset: Dataset, object: &Object, verdict: &mut Verdict) -> anyhow::Result<()> {
        let standing = self.standing(dataset, object, verdict);
        if matches!(standing, Standing::Newer) {
            self.note_newer(object);
            return Ok(());
        }
        // How work went is not part of any account.
        if dataset == Dataset::Runs && matches!(standing, Standing::Counted(..)) {
            verdict.files += 1;
            return Ok(());
        }
        // Removed since it was listed.
        let Some(bytes) = self.desk.sinks.read_object(dataset, object)? else { return Ok(()) };
        let file = match File::open(bytes) {
            Ok(file) => file,
            Err(error) => {
                verdict.violation(format!("`{}` in `{dataset}` is no Parquet file: {error}", object.name));
                return Ok(());
            }
        };
        let is_ours = file.footer.pipeline.as_deref() == Some(&*self.desk.config.pipeline);
        let counted = match standing {
            Standing::Counted(partition, genesis) => Some((partition, genesis.to_string())),
            Standing::Unknown if is_ours => {
                self.earlier.insert(object.name.clone());
                None
            }
            // Pipelines may share a dataset.
            Standing::Unknown if file.footer.pipeline.is_some() => return Ok(()),
            Standing::Foreign(why) => {
                verdict.violation(format!("`{}` in `{dataset}` {why}", object.name));
                None
            }
            Standing::Unknown | Standing::Newer => {
                verdict.violation(format!("`{}` in `{dataset}` does not say which pipeline wrote it", object.name));
                None
            }
        };
        verdict.files += 1;
        let sums = self.read(dataset, file, verdict);
        match (sums, counted) {
            (Err(error), _) => verdict.violation(format!("`{}` in `{dataset}` cannot be read: {error:#}", object.name)),
            (Ok(_), None) if !is_ours => {}
            (Ok(sums), Some(beginning)) => self.sums.entry(beginning).or_default().add(sums),
            (Ok(_), None) => {}
        }
        if dataset == Dataset::Predictions {
            self.of_rows.push(object.clone());
        }
        Ok(())
    }

    fn standing(&self, dataset: Dataset, object: &Object, verdict: &mut Verdict) -> Standing {
        let Some(DataName { partition, genesis, seq }) = object.data_name() else {
            return Standing::Foreign("is not named as files of commits are".to_owned());
        };
        let Some(log) = self.logs.get(&partition) else { return Standing::Unknown };
        let Some(newest) = log.of(genesis) else { return Standing::Unknown };
        if seq > newest.seq {
            // Of an earlier beginning nothing comes any more: its last record was damaged.
            let is_present = log.head().is_some_and(|head| head.genesis == genesis);
            return if is_present { Standing::Newer } else { Standing::Unknown };
        }
        match log.files.get(&(dataset.as_str().to_owned(), object.name.clone())) {
            Some(listed) if listed.length != object.bytes => verdict.violation(format!(
                "`{}` in `{dataset}` has {} bytes, commit {} wrote {}",
                object.name, object.bytes, listed.seq, listed.length
            )),
            None if seq >= log.oldest => {
                return Standing::Foreign(format!("is no commit's: {seq} of `{partition}` does not list it"));
            }
            _ => {}
        }
        Standing::Counted(partition, genesis)
    }

    fn read(&mut self, dataset: Dataset, file: File, verdict: &mut Verdict) -> anyhow::Result<Sums> {
        let mut sums = Sums::default();
        match dataset {
            Dataset::Predictions => file.rows(&mut |row| {
                sums.rows += 1;
                sums.readings += row.value_count;
                self.unique.add(hash(&row));
                self.devices.see(&row);
            })?,
            Dataset::Late => sums.late = file.footer.rows,
            Dataset::Quarantine => sums.quarantined = file.refused()?,
            Dataset::Runs => {}
        }
        verdict.rows += sums.rows;
        verdict.late += sums.late;
        verdict.quarantined += sums.quarantined;
        Ok(sums)
    }

    /// Files that records list. The newest record's may not be visible yet: its owner died, and the next one sees to it.
    fn listed_are_there(&mut self, dataset: Dataset, objects: &[Object], verdict: &mut Verdict) {
        let there: BTreeSet<&str> = objects.iter().map(|object| object.name.as_str()).collect();
        for (partition, log) in self.logs {
            let head = log.head().map(|head| head.seq);
            for ((of, name), listed) in &log.files {
                if of != dataset.as_str() || there.contains(name.as_str()) {
                    continue;
                }
                let rows = grouped(listed.rows);
                let what =
                    format!("{partition}: `{name}` of commit {} is not in `{dataset}` ({rows} rows)", listed.seq);
                if Some(listed.seq) == head {
                    verdict.warning(format!("{what}: whoever takes the partition over next publishes it"));
                } else {
                    verdict.violation(what);
                }
            }
        }
    }

    /// Another pass over all rows.
    fn read_again(&mut self, mut show: impl FnMut(&mut Self, &Row<'_>)) -> anyhow::Result<()> {
        let objects = self.of_rows.clone();
        let total = objects.iter().map(|object| object.bytes).sum();
        let meter = progress::count("reading rows again", Unit::Bytes, total);
        for object in objects {
            meter.add(object.bytes);
            let Some(bytes) = self.desk.sinks.read_object(Dataset::Predictions, &object)? else { continue };
            let file = File::open(bytes)?;
            file.rows(&mut |row| show(self, &row)).with_context(|| format!("read `{}`", object.name))?;
        }
        Ok(())
    }

    fn name_duplicates(&mut self, verdict: &mut Verdict) -> anyhow::Result<()> {
        verdict.duplicates = self.twice.rows;
        if self.twice.rows == 0 {
            return Ok(());
        }
        let mut keys: BTreeMap<u128, (String, Option<String>, Micros)> = BTreeMap::new();
        let objects = self.of_rows.clone();
        let total = objects.iter().map(|object| object.bytes).sum();
        let meter = progress::count("reading rows again", Unit::Bytes, total);
        for object in objects {
            meter.add(object.bytes);
            let Some(bytes) = self.desk.sinks.read_object(Dataset::Predictions, &object)? else { continue };
            File::open(bytes)?.rows(&mut |row| {
                let hash = hash(&row);
                if let Some(files) = self.twice.examples.get_mut(&hash) {
                    files.push(object.name.clone());
                    let key = || (row.device.to_owned(), row.sensor.map(str::to_owned), row.window_start);
                    keys.entry(hash).or_insert_with(key);
                }
            })?;
        }
        for (hash, (device, sensor, start)) in keys {
            let files = self.twice.examples.remove(&hash).unwrap_or_default();
            verdict.violation(format!(
                "{:?}{} has {} rows for the window at {}: in `{}`",
                device,
                sensor.map(|sensor| format!(" {sensor:?}")).unwrap_or_default(),
                files.len(),
                time(start),
                files.join("`, `")
            ));
        }
        verdict.violation(format!("{} rows are there again", grouped(self.twice.rows)));
        Ok(())
    }

    /// What is in files is what the logs say.
    fn balance(&self, verdict: &mut Verdict) {
        for (partition, log) in self.logs {
            let head = log.head().map(|head| head.genesis);
            for newest in &log.beginnings {
                let mut found =
                    self.sums.get(&(partition.clone(), newest.genesis.to_string())).copied().unwrap_or_default();
                if head == Some(newest.genesis) {
                    found.add(self.unpublished(partition, log));
                }
                let of = if head == Some(newest.genesis) { "" } else { " before a reset" };
                for (what, expected, found) in found.against(&newest.ledger) {
                    verdict.violation(format!(
                        "{partition}{of}: {} {what} in files, the ledger says {}",
                        grouped(found),
                        grouped(expected)
                    ));
                }
            }
        }
    }

    fn note_newer(&mut self, object: &Object) {
        let Some(DataName { partition, seq, .. }) = object.data_name() else { return };
        let newest = self.newer.entry(partition).or_insert_with(|| (seq, object.name.clone()));
        if newest.0 < seq {
            *newest = (seq, object.name.clone());
        }
    }

    /// Files come after their record, so by now the log is as far as they are; unless it was put back.
    fn are_newer_ones_committed(&self, verdict: &mut Verdict) -> anyhow::Result<()> {
        for (partition, (seq, file)) in &self.newer {
            let head = self.desk.sinks.head(partition)?;
            let reached = head.header().map_or(0, |header| header.seq);
            if reached < *seq {
                let error = sink::Error::LogBehind { partition: partition.clone(), head: reached, file: file.clone() };
                verdict.violation(error.to_string());
            }
        }
        Ok(())
    }

    /// What the newest record holds of rows that are not visible yet.
    fn unpublished(&self, partition: &PartitionId, log: &Log) -> Sums {
        let mut sums = Sums::default();
        let Some(head) = log.head() else { return sums };
        let Ok(Some(Ok(record))) = self.desk.sinks.record(partition, head.seq) else { return sums };
        for (index, file) in record.header().files.iter().enumerate() {
            let dataset = Dataset::ALL.into_iter().find(|dataset| dataset.as_str() == file.dataset);
            let Some(dataset) = dataset else { continue };
            let object = Object { name: file.name.clone(), bytes: file.length };
            if !matches!(self.desk.sinks.read_object(dataset, &object), Ok(None)) {
                continue;
            }
            let Ok(file) = File::open(record.file(index)) else { continue };
            match dataset {
                Dataset::Predictions => {
                    let counted = file.rows(&mut |row| {
                        sums.rows += 1;
                        sums.readings += row.value_count;
                    });
                    debug_assert!(counted.is_ok());
                }
                Dataset::Late => sums.late += file.footer.rows,
                Dataset::Quarantine => sums.quarantined += file.refused().unwrap_or_default(),
                Dataset::Runs => {}
            }
        }
        sums
    }

    fn tell_of_devices(&self, verdict: &mut Verdict) {
        let Devices { partitions, moved, examples } = &self.devices;
        verdict.devices = partitions.len() as u64;
        if !moved.is_empty() {
            verdict.warning(format!(
                "{} devices have rows of several partitions, such as {}: their windows are split; send each device's records to one partition (key = device)",
                grouped(moved.len() as u64),
                examples.join(", ")
            ));
        }
    }
}

impl Devices {
    fn see(&mut self, row: &Row<'_>) {
        let device = unique::hash_of(row.device, None, 0);
        let first = *self.partitions.entry(device).or_insert(row.partition);
        if first != row.partition && self.moved.insert(device) && self.examples.len() < EXAMPLES {
            self.examples.push(format!("{:?} in {first} and {}", row.device, row.partition));
        }
    }
}

impl Sums {
    fn add(&mut self, more: Sums) {
        self.rows += more.rows;
        self.readings += more.readings;
        self.late += more.late;
        self.quarantined += more.quarantined;
    }

    /// What differs, with the ledger's figure and that of the files.
    fn against(&self, ledger: &Ledger) -> Vec<(&'static str, u64, u64)> {
        let pairs = [
            ("rows", ledger.rows_in_files, self.rows),
            ("readings", ledger.emitted, self.readings),
            ("late readings", ledger.late_in_files, self.late),
            ("refused items", ledger.quarantined_in_files, self.quarantined),
        ];
        pairs.into_iter().filter(|(_, expected, found)| expected != found).collect()
    }
}
