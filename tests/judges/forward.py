"""Holds events at a topic and at a webhook against the anomalies of a dataset.

usage: forward.py PREDICTIONS_FOLDER BROKERS TOPIC WEBHOOK_JSONL     prints one JSON object; exit status 1 if anything differs

pyarrow reads the rows, Kafka's own client the topic. Each line of the webhook's file is `[content type, body]` of a request. Every
anomaly must have come to both at least once and nothing else; all values must be the same to the last bit; what came again must be
equal to the byte; ids must be one to one with rows.
"""

import json
import struct
import sys
from collections import defaultdict
from datetime import datetime, timedelta, timezone

import pyarrow.dataset as ds
from confluent_kafka import Consumer, TopicPartition

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def rows(folder):
    """Anomalies, each as plain values by the names of columns."""
    table = ds.dataset(folder, format="parquet").to_table()
    return [{name: plain(value) for name, value in row.items()} for row in table.to_pylist() if row["is_anomaly"]]


def plain(value):
    if isinstance(value, datetime):
        return int((value - EPOCH) / timedelta(microseconds=1))
    if isinstance(value, float):
        return struct.pack("<d", value).hex()
    if isinstance(value, list):
        return {key: plain(inner) for key, inner in value}
    return value


def of_event(data, row):
    """The values of an event in the form of the row's."""
    if list(data) != list(row):
        raise SystemExit(f"columns {list(data)} are not {list(row)}")
    return {name: in_form(value, name) for name, value in data.items()}


def in_form(value, name):
    if name in ("window_start", "window_end"):
        return int((datetime.fromisoformat(value.replace("Z", "+00:00")) - EPOCH) / timedelta(microseconds=1))
    if isinstance(value, dict):
        return {key: plain(float(inner)) for key, inner in value.items()}
    return plain(value)


def of_topic(brokers, topic):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "judge", "enable.auto.commit": False, "isolation.level": "read_committed"})
    partitions = sorted(consumer.list_topics(topic, 30).topics[topic].partitions)
    ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), 30)[1] for p in partitions}
    consumer.assign([TopicPartition(topic, p, 0) for p, end in ends.items() if end > 0])
    bodies, homes, left = [], defaultdict(set), sum(ends.values())
    while left > 0:
        batch = consumer.consume(10_000, 10)
        if not batch:
            raise SystemExit(f"{left} events of {topic} do not come")
        for message in batch:
            if message.error():
                raise SystemExit(str(message.error()))
            body = message.value().decode()
            if dict(message.headers() or []).get("content-type") != b"application/cloudevents+json":
                raise SystemExit(f"headers {message.headers()}")
            if message.key().decode() != json.loads(body)["subject"]:
                raise SystemExit(f"key {message.key()} of {body}")
            homes[message.key()].add(message.partition())
            bodies.append(body)
            left -= 1
    consumer.close()
    if any(len(home) != 1 for home in homes.values()):
        raise SystemExit("a device is in two partitions")
    return bodies, len(bodies)


def of_webhook(path):
    bodies, requests = [], 0
    with open(path) as lines:
        for line in lines:
            kind, body = json.loads(line)
            requests += 1
            if kind == "application/cloudevents+json":
                bodies.append(body)
            elif kind == "application/cloudevents-batch+json":
                # Parts of the text itself, so that bytes are compared.
                decoder, at = json.JSONDecoder(), 1
                while body[at] != "]":
                    _, end = decoder.raw_decode(body, at)
                    bodies.append(body[at:end])
                    at = end + (body[end] == ",")
            else:
                raise SystemExit(f"content type {kind}")
    return bodies, requests


def compare(name, bodies, wanted):
    by_id = defaultdict(set)
    for body in bodies:
        by_id[json.loads(body)["id"]].add(body)
    if torn := [id for id, texts in by_id.items() if len(texts) > 1]:
        raise SystemExit(f"{name}: {len(torn)} events came again with other bytes: {by_id[torn[0]]}")
    found = {}
    for (body,) in by_id.values():
        event = json.loads(body)
        data = event.pop("data")
        row = wanted.get(key_of_event(data))
        if row is None:
            raise SystemExit(f"{name}: an event of no anomaly: {body}")
        if (values := of_event(data, row)) != row:
            raise SystemExit(f"{name}: {values} is not {row}")
        event.pop("id")
        envelope = {
            "specversion": "1.0", "source": row["pipeline"], "type": "atalaia.anomaly", "subject": row["device"],
            "time": data["window_end"], "datacontenttype": "application/json",
        }
        if event != envelope:
            raise SystemExit(f"{name}: {event} is not {envelope}")
        if key_of(row) in found:
            raise SystemExit(f"{name}: two ids of one row: {row}")
        found[key_of(row)] = row
    if missing := wanted.keys() - found.keys():
        raise SystemExit(f"{name}: {len(missing)} of {len(wanted)} anomalies never came, as {sorted(missing)[:3]}")
    return {"events": len(bodies), "repeated": len(bodies) - len(found)}


def key_of(row):
    return (row["source_partition"], row["device"], row["sensor"] or "", row["window_start"])


def key_of_event(data):
    return (data["source_partition"], data["device"], data["sensor"] or "", in_form(data["window_start"], "window_start"))


def main(folder, brokers, topic, webhook):
    all_rows = rows(folder)
    wanted = {key_of(row): row for row in all_rows}
    if len(wanted) != len(all_rows):
        raise SystemExit("two rows of one window")
    told = {"anomalies": len(wanted)}
    for name, (bodies, requests) in (("kafka", of_topic(brokers, topic)), ("webhook", of_webhook(webhook))):
        told[name] = compare(name, bodies, wanted) | {"requests": requests}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
