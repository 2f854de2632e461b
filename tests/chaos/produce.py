"""Sends the fleet's records into the topic, in its own process."""

import json
import signal
import time
from collections import Counter

import parts
from fleet import Fleet


def produce(settings, path):
    """Until SIGTERM; then what is still held back, and the figures as JSON into `path` (and every few seconds meanwhile)."""
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    failed = Counter()

    sender, rate = parts.sender(settings["place"], failed), settings["rate"]
    fleet = Fleet(settings["seed"], settings["start_ms"], settings["devices"], settings["sensors"], settings["partitions"])
    sent, step, begun = Counter(), 0, time.monotonic()
    noted = begun

    def send(records):
        for partition, key, payload, time_ms in records:
            sender.send(partition, key, payload, time_ms)
            sent[partition] += 1

    def note(done):
        figures = {"done": done, "records": sent.total(), "steps": step, "seconds": time.monotonic() - begun}
        figures |= {"partitions": dict(sent), "failed": dict(failed)}
        path.with_suffix(".tmp").write_text(json.dumps(figures))
        path.with_suffix(".tmp").rename(path)

    while not stopped:
        send(fleet.step(step))
        step += 1
        sender.step()
        now = time.monotonic()
        if now - noted > 2:
            noted = now
            note(False)
        # Behind after an outage it catches up as fast as it can, with the times the records should have had.
        time.sleep(max(0, begun + step * fleet.series / rate - now))
    send(fleet.rest(step))
    left = sender.finish()
    if left:
        failed["not delivered"] += left
    note(True)
