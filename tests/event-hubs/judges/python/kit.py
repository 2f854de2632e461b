"""What all operations use: clients of the emulator's hubs, a reader on a thread of its own, the control channel.

The arguments of judge.py are read here.
"""

import json
import socket
import sys
import threading
import time

from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient

CONNECTION, CONTROL, BLOBS, EMULATOR = sys.argv[1:5]
ACCOUNT = "devstoreaccount1"
# The key that every Azurite has, published with it.
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
STORE = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};BlobEndpoint={BLOBS}/{ACCOUNT};"
PARTITIONS = 4
SECONDS_MAX = 30
RETRY = {"retry_total": 5, "retry_backoff_factor": 0.1, "retry_backoff_max": 5}


def control(command, **fields):
    host, _, port = CONTROL.rpartition(":")
    with socket.create_connection((host, int(port))) as stream, stream.makefile("rw") as lines:
        lines.write(json.dumps({"do": command, **fields}) + "\n")
        lines.flush()
        answer = json.loads(lines.readline())
    assert "error" not in answer, answer
    return answer


def connection(hub="hub"):
    return CONNECTION.replace("EntityPath=hub;", f"EntityPath={hub};")


def producer(hub="hub", **options):
    return EventHubProducerClient.from_connection_string(connection(hub), **{**RETRY, **options})


def consumer(hub="hub", group="$Default", **options):
    return EventHubConsumerClient.from_connection_string(connection(hub), group, **{**RETRY, **options})


def send(texts, **where):
    with producer() as client:
        batch = client.create_batch(**where)
        for text in texts:
            batch.add(EventData(text))
        client.send_batch(batch)


def state(partition, hub="hub"):
    with producer(hub) as client:
        return client.get_partition_properties(str(partition))


class Reading:
    """A consumer on a thread of its own: its events and errors, and a way to wait for them."""

    def __init__(self, partition, position="-1", group="$Default", client=None, **options):
        self.events, self.errors = [], []
        self.changed = threading.Condition()
        self.client = client or consumer(group=group)
        arguments = {"partition_id": str(partition), "starting_position": position, **options}
        self.thread = threading.Thread(target=self.run, args=(arguments,), daemon=True)
        self.thread.start()

    def run(self, arguments):
        try:
            self.client.receive(on_event=self.on_event, on_error=self.on_error, **arguments)
        except Exception as error:
            self.on_error(None, error)

    def on_event(self, _context, event):
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    def on_error(self, _context, error):
        with self.changed:
            self.errors.append(error)
            self.changed.notify_all()

    def until(self, holds, what):
        with self.changed:
            done = self.changed.wait_for(lambda: holds(self), SECONDS_MAX)
            assert done, f"no {what} within {SECONDS_MAX} s; {len(self.events)} events, errors {self.errors}"

    def texts(self):
        return [event.body_as_str() for event in self.events]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()


def attached(partition, group):
    """Waits until somebody reads the partition for the group."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        readers = control("statistics")["hubs"]["hub"]["partitions"][int(partition)]["readers"]
        if found := [reader for reader in readers if reader["group"] == group]:
            return found
        time.sleep(0.05)
    raise AssertionError(f"nobody attached to partition {partition}")


def read(partition, count, position, **options):
    with Reading(partition, position, **options) as reading:
        reading.until(lambda r: len(r.events) >= count, f"{count} events")
        return reading.events[:count]
