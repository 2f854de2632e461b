//! What a member does in the background: renew, look, claim, again and again; beside it checkpoints, and an eye on the clock.
//!
//! A store that does not answer is waited for. Claims that cannot be renewed meanwhile are given up when others may take them, by our
//! own clock since the last renewal was sent, whatever requests are still under way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use tracing::{debug, info, warn};

use super::checkpoints::Noted;
use super::member::Shared;
use super::metrics::{self, Claim};
use super::store::Version;
use super::watch::{Standing, Watch};
use super::{Error, balance};
use crate::Kind;
use crate::event_hubs::jitter;

/// A partition's checkpoint is written at most this often.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(3);
/// Requests that are under way at once.
const REQUESTS_MAX: usize = 8;
/// A request that took longer is given up and tried again, even if claims are renewed more often than that.
const REQUEST_TIME_MIN: Duration = Duration::from_secs(2);

/// Ends when the member leaves, or cannot go on.
pub(super) async fn run(shared: &Shared) {
    let end = tokio::select! {
        end = rounds(shared) => end,
        never = checkpoints(shared) => match never {},
        never = expiries(shared) => match never {},
    };
    match end {
        Ok(()) => leave(shared).await,
        Err(error) => shared.change(|state| state.failed = Some(error)),
    }
}

enum Never {}

/// Until the member leaves. What is under way then is waited for: a claim that nobody heard of could not be given back.
async fn rounds(shared: &Shared) -> Result<(), Error> {
    let mut trouble = Trouble::default();
    while shared.state().count.is_none() {
        shared.look.notified().await;
        if shared.is_leaving() {
            return Ok(());
        }
    }
    // Somebody is still there to read what is wrong with the container, or with what is in it.
    while let Err(error) = within(shared, shared.store.checkpoints()).await {
        if error.kind() != Kind::Retry {
            return Err(error);
        }
        trouble.met("list", &error);
        pause(shared).await;
        if shared.is_leaving() {
            return Ok(());
        }
    }
    let mut watch = Watch::default();
    while !shared.is_leaving() {
        renew(shared, &mut trouble).await;
        match look(shared, &mut watch).await {
            Ok(()) => trouble.over(),
            Err(error) => trouble.met("list", &error),
        }
        pause(shared).await;
    }
    Ok(())
}

/// Ends early when there is a reason to look, or to leave.
async fn pause(shared: &Shared) {
    let interval = shared.settings.renew_interval;
    tokio::select! {
        () = tokio::time::sleep(jitter::between(interval * 4 / 5, interval)) => {}
        () = shared.look.notified() => {}
    }
}

async fn renew(shared: &Shared, trouble: &mut Trouble) {
    let held = shared.state().held();
    let renewals = stream::iter(held).map(|(partition, held)| async move {
        let sent = Instant::now();
        let renewed = within(shared, shared.store.claim(partition, &shared.id, Some(&held.version))).await;
        match renewed {
            Ok(Some(version)) => shared.state().renewed(partition, &held.version, version, sent),
            Ok(None) => lost(shared, partition),
            Err(error) => return Some(error),
        }
        None
    });
    let failures: Vec<Error> =
        renewals.buffer_unordered(REQUESTS_MAX).filter_map(futures::future::ready).collect().await;
    for error in &failures {
        trouble.met("renew", error);
    }
}

fn lost(shared: &Shared, partition: u32) {
    if shared.change(|state| state.lost(partition)) {
        debug!(partition, "another member took the partition");
        metrics::claim(Claim::Lost, 1);
    }
}

/// Lists who has what, and claims what we should have.
async fn look(shared: &Shared, watch: &mut Watch) -> Result<(), Error> {
    let listed = Instant::now();
    let records = within(shared, shared.store.ownership(watch.records())).await?;
    watch.look(records, Instant::now());
    for (partition, record) in watch.records() {
        if record.owner == shared.id {
            shared.state().seen(*partition, &record.version);
        } else {
            lost(shared, *partition);
        }
    }

    if shared.is_leaving() {
        return Ok(());
    }
    let count = shared.state().count.unwrap_or(0);
    // Judged by the moment the listing began: no note is taken for older than it was.
    let standings = watch.standings(&shared.id, count, shared.settings.expiry, listed);
    let shunned = shared.state().shunned(&standings, listed, Instant::now());
    // What is ours and not held was given up, or its answer was lost.
    let mut wanted: Vec<u32> = {
        let state = shared.state();
        let ours =
            standings.iter().filter(|(_, standing)| **standing == Standing::Ours).map(|(partition, _)| *partition);
        ours.filter(|partition| !state.holds(*partition) && !shunned.contains(partition)).collect()
    };
    let roll = |sides| rand::RngExt::random_range(&mut rand::rng(), 0..sides);
    wanted.extend(balance::claims(&standings, &shunned, shared.settings.strategy, roll));
    let (watch, standings) = (&*watch, &standings);
    let claims: Vec<_> = wanted.into_iter().map(|partition| claim(shared, watch, standings, partition)).collect();
    stream::iter(claims).buffer_unordered(REQUESTS_MAX).collect::<()>().await;
    shared.change(|state| state.looked());
    Ok(())
}

async fn claim(shared: &Shared, watch: &Watch, standings: &BTreeMap<u32, Standing>, partition: u32) {
    let sent = Instant::now();
    match within(shared, shared.store.claim(partition, &shared.id, watch.version(partition))).await {
        Ok(Some(version)) => {
            shared.change(|state| state.won(partition, version, sent));
            let was_others = matches!(standings.get(&partition), Some(Standing::Other(_)));
            metrics::claim(if was_others { Claim::Taken } else { Claim::Won }, 1);
        }
        Ok(None) => metrics::claim(Claim::Refused, 1),
        Err(error) => {
            metrics::failure("claim");
            warn!(partition, %error, "a partition could not be claimed: it is tried again");
        }
    }
}

async fn expiries(shared: &Shared) -> Never {
    let expiry = shared.settings.expiry;
    loop {
        let next = shared.state().next_expiry(expiry).unwrap_or_else(|| Instant::now() + expiry);
        tokio::time::sleep_until(next.into()).await;
        let expired = shared.change(|state| state.expire(expiry, Instant::now()));
        if !expired.is_empty() {
            warn!(?expired, "claims could not be renewed in time, and are given up: others may take them");
            metrics::claim(Claim::Expired, expired.len());
        }
    }
}

// === checkpoints ===

async fn checkpoints(shared: &Shared) -> Never {
    let (mut known, mut trouble) = (BTreeMap::new(), Trouble::default());
    loop {
        if shared.state().progress.is_empty() {
            shared.progress.notified().await;
            continue;
        }
        write_checkpoints(shared, &mut known, &mut trouble).await;
        tokio::time::sleep(jitter::between(CHECKPOINT_INTERVAL * 4 / 5, CHECKPOINT_INTERVAL)).await;
    }
}

async fn write_checkpoints(shared: &Shared, known: &mut BTreeMap<u32, Noted>, trouble: &mut Trouble) {
    let progress = shared.state().progress.clone();
    let writes = progress.into_iter().map(|(partition, checkpoint)| {
        let mut noted = known.remove(&partition);
        async move {
            let done = within(shared, shared.store.advance(partition, &checkpoint, &mut noted)).await;
            if matches!(done, Ok(true)) {
                shared.state().written(partition, &checkpoint);
            }
            (partition, noted, done.err())
        }
    });
    let written: Vec<_> = stream::iter(writes).buffer_unordered(REQUESTS_MAX).collect().await;
    let mut has_failed = false;
    for (partition, noted, failure) in written {
        known.extend(noted.map(|noted| (partition, noted)));
        if let Some(error) = failure {
            trouble.met("checkpoint", &error);
            has_failed = true;
        }
    }
    if !has_failed {
        trouble.over();
    }
}

// === leaving ===

/// Tells how far reading got, and gives everything back. Whoever waits for it sets the limit.
async fn leave(shared: &Shared) {
    // By the notes themselves: one may be ours whose claim was not answered, or that another reader made us give up.
    let ours: Vec<_> = match within(shared, shared.store.ownership(&BTreeMap::new())).await {
        Ok(records) => {
            let ours = records.into_iter().filter(|(_, record)| record.owner == shared.id);
            ours.map(|(partition, record)| (partition, record.version)).collect()
        }
        Err(_) => shared.state().held().into_iter().map(|(partition, held)| (partition, held.version)).collect(),
    };
    let (mut known, mut trouble) = (BTreeMap::new(), Trouble::default());
    let releases: Vec<_> = ours.into_iter().map(|(partition, seen)| release(shared, partition, seen)).collect();
    let releases = stream::iter(releases).buffer_unordered(REQUESTS_MAX).collect::<()>();
    tokio::join!(releases, write_checkpoints(shared, &mut known, &mut trouble));
}

async fn release(shared: &Shared, partition: u32, seen: Version) {
    if let Err(error) = within(shared, shared.store.release(partition, &shared.id, &seen)).await {
        metrics::failure("release");
        debug!(partition, %error, "a claim could not be released");
    }
}

// === requests ===

/// No request takes longer than until the next round.
async fn within<T, E>(shared: &Shared, request: impl Future<Output = Result<T, E>>) -> Result<T, Error>
where
    Error: From<E>,
{
    let location = &shared.store.location;
    let limit = location.within(0).min(shared.settings.renew_interval.max(REQUEST_TIME_MIN));
    match tokio::time::timeout(limit, request).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(store::Error::timed_out(location).into()),
    }
}

/// Failures in a row are logged once.
#[derive(Default)]
struct Trouble {
    since: Option<Instant>,
}

impl Trouble {
    fn met(&mut self, kind: &'static str, error: &Error) {
        metrics::failure(kind);
        if self.since.is_none() {
            self.since = Some(Instant::now());
            warn!(kind, %error, hint = error.hint(), "the checkpoint store fails: it is tried again");
        }
    }

    fn over(&mut self) {
        if let Some(since) = self.since.take() {
            info!(lasted_ms = since.elapsed().as_millis(), "the checkpoint store answers again");
        }
    }
}
