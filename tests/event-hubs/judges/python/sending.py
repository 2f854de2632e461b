"""Properties of the hub, and what is sent: batches, partitions, keys, bodies, properties."""

import contextlib
import uuid

from azure.eventhub import EventData
from azure.eventhub._buffered_producer._partition_resolver import generate_hash_code
from azure.eventhub.amqp import AmqpAnnotatedMessage

from kit import PARTITIONS, Reading, producer, read, send, state


def properties_hub():
    with producer() as client:
        properties = client.get_eventhub_properties()
    assert properties["eventhub_name"] == "hub" and properties["partition_ids"] == [str(n) for n in range(PARTITIONS)], properties


def properties_partition():
    before = state(0)
    send(["one", "two"], partition_id="0")
    after = state(0)
    assert after["last_enqueued_sequence_number"] >= before["last_enqueued_sequence_number"] + 2, after
    assert not after["is_empty"] and after["last_enqueued_offset"] != str(after["last_enqueued_sequence_number"]), after


def send_single():
    text = f"single {uuid.uuid4()}"
    with producer() as client:
        client.send_event(EventData(text), partition_id="1")
    with Reading(1) as reading:
        reading.until(lambda r: text in r.texts(), "the event")


def send_batch():
    mark = uuid.uuid4()
    wanted = [f"{mark} {n}" for n in range(300)]
    send(wanted)
    found = []
    for partition in range(PARTITIONS):
        if state(partition)["is_empty"]:
            continue
        with Reading(partition) as reading:
            last = state(partition)["last_enqueued_sequence_number"]
            reading.until(lambda r, last=last: r.events and r.events[-1].sequence_number >= last, "end of the partition")
            found.append([text for text in reading.texts() if text.startswith(str(mark))])
    assert [part for part in found if part] == [wanted], "a batch lies in one partition, in order"


def send_large():
    """A batch filled to the brim: many frames there, and an event larger than a frame back."""
    last = state(1)["last_enqueued_sequence_number"]
    with producer() as client:
        batch = client.create_batch(partition_id="1")
        body = "x" * 100_000
        count = 0
        with contextlib.suppress(ValueError):
            while True:
                batch.add(EventData(f"{count} {body}"))
                count += 1
        assert count == 10, f"{count} events of 100 kB in a batch of 1 MiB"
        client.send_batch(batch)
    events = [e for e in read(1, count, last) if len(e.body_as_str()) > 100_000]
    assert [e.body_as_str() for e in events] == [f"{n} {body}" for n in range(count)]


def send_to_partition():
    for partition in range(PARTITIONS):
        last = state(partition)["last_enqueued_sequence_number"]
        text = f"to {partition} {uuid.uuid4()}"
        send([text], partition_id=str(partition))
        with Reading(partition, last) as reading:
            reading.until(lambda r, text=text: text in r.texts(), "the event")


def send_with_partition_key():
    keys = ["a", "device-7", "7eeb4f2c-a9f0-4f9d-9d64-4d2f2d1cb65e", *(f"key {n}" for n in range(12))]
    starts = [state(partition)["last_enqueued_sequence_number"] for partition in range(PARTITIONS)]
    for key in keys:
        send([f"keyed {key}"], partition_key=key)
    for partition in range(PARTITIONS):
        # The client's own code for a key; the service takes the remainder before the sign goes, as .NET and JavaScript do.
        mine = [key for key in keys if abs(generate_hash_code(key)) % PARTITIONS == partition]
        with Reading(partition, starts[partition]) as reading:
            reading.until(lambda r, mine=mine: {f"keyed {k}" for k in mine} <= set(r.texts()), f"keys {mine}")
            events = [event for event in reading.events if event.body_as_str().startswith("keyed ")]
            assert {event.partition_key.decode() for event in events} == set(mine), events


def bodies():
    bodies = [
        AmqpAnnotatedMessage(data_body=[b"one"]),
        AmqpAnnotatedMessage(data_body=[b"one", b"two"]),
        AmqpAnnotatedMessage(value_body={"number": 1, "list": [1, "x"]}),
        AmqpAnnotatedMessage(sequence_body=[[1, 2], ["three"]]),
    ]
    last = state(2)["last_enqueued_sequence_number"]
    with producer() as client:
        batch = client.create_batch(partition_id="2")
        for body in bodies:
            batch.add(body)
        client.send_batch(batch)
    found = [event.raw_amqp_message for event in read(2, len(bodies), last)]
    assert [str(message.body_type) for message in found] == [str(message.body_type) for message in bodies]
    assert b"".join(found[1].body) == b"onetwo" and list(found[3].body) == [[1, 2], [b"three"]], [list(m.body) for m in found[1::2]]
    assert found[2].body == {b"number": 1, b"list": [1, b"x"]}, found[2].body


def properties_kept():
    event = EventData(b"body")
    event.properties = {"text": "t", "number": 7, "float": 1.5, "flag": True}
    event.message_id, event.content_type, event.correlation_id = "id-1", "application/json", "correlation"
    event.raw_amqp_message.annotations = {b"iothub-connection-device-id": "device-1"}
    last = state(2)["last_enqueued_sequence_number"]
    with producer() as client:
        batch = client.create_batch(partition_id="2")
        batch.add(event)
        client.send_batch(batch)
    with Reading(2, last) as reading:
        reading.until(lambda r: any(e.message_id == "id-1" for e in r.events), "the event")
        found = next(e for e in reading.events if e.message_id == "id-1")
    assert found.properties == {b"text": b"t", b"number": 7, b"float": 1.5, b"flag": True}, found.properties
    assert (found.content_type, found.correlation_id) == ("application/json", "correlation")
    assert found.system_properties[b"iothub-connection-device-id"] == b"device-1", found.system_properties
