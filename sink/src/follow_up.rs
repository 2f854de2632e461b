//! What is done after a commit, at leisure: telling readers how far results are final, and removing old records.
//! Nothing rests on either; what fails is left for the next time.

use std::time::Duration;

use tracing::debug;

use crate::driver::Driver;
use crate::machine::Input;
use crate::names;
use crate::record::Record;

const SWEEP_EVERY: Duration = Duration::from_secs(60);
pub(crate) const FIRST_SWEEP_EARLIER: Duration = Duration::from_secs(50);

pub(crate) async fn after(driver: &mut Driver, committed: &Record) {
    tell_complete_to(driver, committed).await;
    let now = driver.shared.clock.now();
    if now.saturating_sub(driver.swept_at) >= SWEEP_EVERY {
        driver.swept_at = now;
        if let Err(error) = driver.run(Input::Sweep).await {
            debug!(partition = %driver.partition, %error, "old records are left for the next time");
        }
    }
}

/// A small object beside the log, for readers of the datasets.
async fn tell_complete_to(driver: &mut Driver, committed: &Record) {
    let header = committed.header();
    let Some(complete_to) = header.resume.complete_to.filter(|to| driver.told_complete_to != Some(*to)) else { return };
    let folder = names::partition(&driver.shared.identity.pipeline, &driver.partition);
    let text = serde_json::json!({
        "complete_to": complete_to,
        "topic": header.topic,
        "partition": header.partition,
        "seq": header.seq,
        "next": header.resume.next,
    });
    let told = driver.shared.state.replace(&names::complete_to(&folder), &text.to_string().into()).await;
    match told {
        Ok(()) => driver.told_complete_to = Some(complete_to),
        Err(error) => debug!(partition = %driver.partition, %error, "readers are not told how far results are final"),
    }
}
