"""Where readers begin, whom they displace, and how two of them share partitions."""

import threading
import time
import uuid
from datetime import timedelta

from azure.eventhub import EventData
from azure.eventhub.extensions.checkpointstoreblob import BlobCheckpointStore
from azure.storage.blob import ContainerClient

from kit import CONNECTION, PARTITIONS, Reading, SECONDS_MAX, STORE, attached, consumer, producer, read, send, state


def known_events():
    """Five events of partition 3, a moment between the third and the fourth."""
    last = state(3)["last_enqueued_sequence_number"]
    send(["0", "1", "2"], partition_id="3")
    time.sleep(0.05)
    send(["3", "4"], partition_id="3")
    return read(3, 5, last)


def receive_from_positions():
    events = known_events()
    second, third = events[1], events[2]
    for name, position, inclusive, expected in [
        ("offset exclusive", second.offset, False, 2),
        ("offset inclusive", second.offset, True, 1),
        ("sequence number exclusive", second.sequence_number, False, 2),
        ("sequence number inclusive", second.sequence_number, True, 1),
        ("time", third.enqueued_time + timedelta(milliseconds=1), False, 3),
    ]:
        first = read(3, 1, position, starting_position_inclusive=inclusive)[0]
        wanted = events[expected].sequence_number
        assert first.sequence_number == wanted, f"{name}: began at {first.sequence_number}, not {wanted}"
    assert read(3, 1, "-1")[0].sequence_number == state(3)["beginning_sequence_number"]


def receive_latest():
    send(["before"], partition_id="3")
    text = f"after {uuid.uuid4()}"
    with Reading(3, "@latest", group="latest") as reading:
        attached(3, "latest")
        send([text], partition_id="3")
        reading.until(lambda r: r.events, "an event")
        assert reading.texts()[0] == text, reading.texts()


def last_enqueued():
    send(["x", "y"], partition_id="2")
    with Reading(2, track_last_enqueued_event_properties=True) as reading:
        reading.until(lambda r: r.events, "an event")
        told = reading.events[0].message.delivery_annotations
    last = state(2)["last_enqueued_sequence_number"]
    assert 0 <= told[b"last_enqueued_sequence_number"] <= last and b"last_enqueued_offset" in told, told


def epoch_steal():
    with Reading(0, group="epochs", owner_level=1) as first:
        attached(0, "epochs")
        with Reading(0, group="epochs", owner_level=2) as second:
            first.until(lambda r: r.errors, "error for the first reader")
            assert "stolen" in str(first.errors[0]).lower() or "higher epoch" in str(first.errors[0]), first.errors
            assert [reader["epoch"] for reader in attached(0, "epochs")] == [2]
            with Reading(0, group="epochs", owner_level=1) as third:
                third.until(lambda r: r.errors, "error for the lower epoch")
            with Reading(0, group="epochs") as free:
                free.until(lambda r: r.errors, "error for the reader without epoch")
            assert not second.errors, second.errors


def processor():
    """Two consumers share four partitions through a store in Azurite; a third life goes on where they stopped."""
    container = f"python-{uuid.uuid4()}"
    ContainerClient.from_connection_string(STORE, container).create_container()
    sent = {f"{partition}-{n}" for partition in range(PARTITIONS) for n in range(50)}
    with producer("processor") as client:
        for partition in range(PARTITIONS):
            batch = client.create_batch(partition_id=str(partition))
            for n in range(50):
                batch.add(EventData(f"{partition}-{n}"))
            client.send_batch(batch)

    class Instance:
        def __init__(self):
            self.owned, self.texts, self.lock = set(), [], threading.Lock()
            store = BlobCheckpointStore.from_connection_string(STORE, container)
            options = {"checkpoint_store": store, "load_balancing_interval": 1, "partition_ownership_expiration_interval": 10}
            self.client = consumer("processor", **options)
            arguments = {
                "on_event": self.on_event,
                "on_partition_initialize": lambda context: self.owned.add(context.partition_id),
                "on_partition_close": lambda context, _reason: self.owned.discard(context.partition_id),
                "starting_position": "-1",
            }
            self.thread = threading.Thread(target=self.client.receive, kwargs=arguments, daemon=True)
            self.thread.start()

        def on_event(self, context, event):
            with self.lock:
                self.texts.append(event.body_as_str())
            context.update_checkpoint(event)

    def wait(holds, what):
        deadline = time.monotonic() + SECONDS_MAX
        while not holds():
            assert time.monotonic() < deadline, f"not within {SECONDS_MAX} s: {what}"
            time.sleep(0.1)

    one, two = Instance(), Instance()
    wait(lambda: len(one.owned) == len(two.owned) == 2 and not one.owned & two.owned, "two partitions for each")
    wait(lambda: set(one.texts) | set(two.texts) == sent, "all events")
    store = BlobCheckpointStore.from_connection_string(STORE, container)
    namespace = CONNECTION.partition("sb://")[2].partition(";")[0]

    def at_ends():
        checkpoints = store.list_checkpoints(namespace, "processor", "$Default")
        ends = {checkpoint["partition_id"]: checkpoint["sequence_number"] for checkpoint in checkpoints}
        return ends == {str(partition): 49 for partition in range(PARTITIONS)}

    # A partition that has just moved is read again from its checkpoint on, while all its events have been seen. Its old
    # reader may still write beside the new one: it counts what stays.
    wait(lambda: at_ends() and (time.sleep(2) or at_ends()), "checkpoints at the ends")
    one.client.close()
    two.client.close()
    # What closing raced with may come twice; what was confirmed before does not come again.
    with producer("processor") as client:
        client.send_event(EventData("later"), partition_id="1")
    third = Instance()
    wait(lambda: third.texts, "an event in the third life")
    assert third.texts == ["later"], third.texts
    third.client.close()
