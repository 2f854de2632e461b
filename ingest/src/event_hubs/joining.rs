//! From the configuration to a member of the consumer group.

use tokio::runtime::Handle;

use super::ownership::{CheckpointStore, Group, Member, Settings};
use super::place::Place;
use super::{Config, Membership, Static};
use crate::{Error, Shard};

/// Worker `worker` of `workers`: it shares with all members whose notes lie in the container, or, where none is configured, the
/// hub is this process's alone. A shard's partitions are its own either way, and nobody is told in notes.
///
/// # Errors
/// If a setting is refused, or the container cannot hold notes. Nothing is asked of it yet.
pub fn membership(
    config: &Config,
    storage: &store::Config,
    worker: usize,
    workers: usize,
    shard: Option<Shard>,
    runtime: Handle,
) -> Result<Box<dyn Membership>, Error> {
    Ok(match notes(config, storage)? {
        Some(notes) if shard.is_none() => {
            Box::new(Member::new(runtime, notes, Settings::new(&config.ownership)?, worker))
        }
        _ => Box::new(Static::new(worker, workers).of_shard(shard)),
    })
}

/// The event hub's name, from the connection string or from the settings.
///
/// # Errors
/// As [`membership`].
pub fn hub(config: &Config) -> Result<String, Error> {
    Ok(Place::of(config)?.hub)
}

/// Where members note what they read; none if they do not.
///
/// # Errors
/// As [`membership`].
pub fn notes(config: &Config, storage: &store::Config) -> Result<Option<CheckpointStore>, Error> {
    let Some(url) = &config.ownership.url else { return Ok(None) };
    let Place { host, hub, .. } = Place::of(config)?;
    let group = Group { namespace: host, hub, consumer_group: config.consumer_group.clone() };
    Ok(Some(CheckpointStore::open(url, storage, &group)?))
}
