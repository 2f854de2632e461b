//! This machine's clock is behind: every record seems to come from the future.

use std::time::Duration;

use crate::support::fleet::{self, Fleet, HOUR, MINUTE, SECOND, now};
use crate::support::{Kafka, Running, http, wait};

const FLEET: Fleet = Fleet { devices: 20, sensors: 1, every: SECOND };

fn wait_for_readiness(service: &mut Running, status: u16, says: &str) {
    let address = fleet::listener(service);
    service.wait_until("readiness", Duration::from_secs(60), |_| {
        let answer = http::get(&address, "/readyz")?;
        (answer.status == status && answer.body.contains(says)).then_some(())
    });
}

#[test]
fn that_is_behind_the_broker_s_pauses_reading_until_it_agrees() {
    let Some(kafka) = Kafka::for_test() else { return };
    let topic = kafka.topic(1);
    // As if we were half an hour behind (brokers refuse records of more than an hour from now); one device alone has a clock of
    // its own.
    let (trusted, ahead) = (now() - HOUR, now() + 30 * MINUTE);
    let mine = Fleet { devices: 1, ..FLEET };
    topic.produce(FLEET.records(trusted, trusted + MINUTE).chain(mine.records(ahead, ahead + MINUTE)));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let results = folder.path().join("scored");
    let service = || fleet::eager("run").set_all(topic.settings()).set("sink.url", results.display());

    let mut running = service().start();
    wait_for_readiness(&mut running, 200, "");
    let address = fleet::listener(&mut running);
    let read = |_: &Running| http::metric(&http::get(&address, "/metrics")?.body, "atalaia_ingest_records_total", "");
    running.wait_until("all records", Duration::from_secs(60), |it| read(it).filter(|read| *read >= 1260.0));
    assert!(!running.stderr().contains("this machine's clock"), "one fast device is no evidence: {}", running.stderr());

    topic.produce(FLEET.records(ahead, ahead + 10 * SECOND));
    wait_for_readiness(&mut running, 503, "set the clock right");
    topic.produce(FLEET.records(ahead + 10 * SECOND, ahead + MINUTE));
    // It polls, and folds no more than the batch that was the evidence.
    wait::poll(Duration::from_secs(2), || None::<()>);
    let stopped = running.terminate(Duration::from_secs(12)).success();
    assert!(fleet::figure(&stopped.stderr, "records") < 1260 + 1200, "{}", stopped.stderr);

    // Where the times are believed, all is read, and every reading is accounted for.
    let believing = service().set("aggregate.max_future_skew", "2h");
    let last = believing.args(["--until-idle", "--close", "all"]).run().success();
    assert!(fleet::figure(&last.stderr, "records") > 0, "{}", last.stderr);
    fleet::state("audit").set_all(topic.settings()).set("sink.url", results.display()).run().success();
}
