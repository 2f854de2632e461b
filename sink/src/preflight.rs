//! What delivery rests on, tried once at start with one small object beside the logs: of two creates of one name exactly
//! one wins, and a listing shows it at once.

use bytes::Bytes;
use rand::RngExt;

use crate::place::{Creation, Place};
use crate::sinks::Shared;
use crate::{Error, names};

pub(crate) async fn check(shared: &Shared) -> Result<(), Error> {
    for place in shared.places() {
        let location = &place.location;
        let checked = tokio::time::timeout(location.within(0), store::check_writable(location)).await;
        checked.unwrap_or_else(|_| Err(store::Error::timed_out(location)))?;
    }
    let name = names::preflight(&shared.identity.pipeline, rand::rng().random());
    let checked = creates(&shared.state, &name).await;
    // Also when the check failed; that it cannot be removed is told if nothing worse is.
    let removed = shared.state.delete(&name).await;
    checked.and(removed.map_err(Error::from))
}

async fn creates(place: &Place, name: &str) -> Result<(), Error> {
    let broken = |what| Error::Preflight { place: place.location.display.clone(), what };
    // The client may have tried more than once, so that "exists" can mean our own.
    let first = place.create(name, &Bytes::from_static(b"one")).await?;
    if first == Creation::Exists && place.read(name, 16).await?.as_deref() != Some(b"one") {
        return Err(broken("a name that was never used is taken"));
    }
    if place.create(name, &Bytes::from_static(b"two")).await? != Creation::Exists {
        return Err(broken("two creates of one name both succeed"));
    }
    if place.read(name, 16).await?.as_deref() != Some(b"one") {
        return Err(broken("the second create of a name replaced the first"));
    }
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let listed = place.list(folder, None).await?;
    if !listed.iter().any(|meta| place.name_of(&meta.location).as_deref() == Some(name)) {
        return Err(broken("a listing does not show an object that was just created"));
    }
    Ok(())
}
