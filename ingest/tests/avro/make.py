#!/usr/bin/env python3
"""Makes the Avro files beside it, or in FOLDER, with fastavro, and what fastavro reads of them as JSON:  make.py [FOLDER]

The packages are those of tests/requirements.txt. The files are committed; make them anew when a type or a codec is added.
"""

import datetime
import decimal
import json
import math
import pathlib
import random
import sys
import uuid

import fastavro

HERE = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
UTC = datetime.timezone.utc
# Without them each run would make other bytes.
MARKER = bytes(range(16))
DRAW = random.Random(7)

NODE = {"type": "record", "name": "Node", "fields": [
    {"name": "label", "type": "string"},
    {"name": "next", "type": ["null", "Node"]},
]}
TYPES = {
    "type": "record", "name": "Reading", "namespace": "plant", "fields": [
        {"name": "nothing", "type": "null"},
        {"name": "flag", "type": "boolean"},
        {"name": "small", "type": "int"},
        {"name": "large", "type": "long"},
        {"name": "single", "type": "float"},
        {"name": "double", "type": "double"},
        {"name": "text \"quoted\"", "type": "string"},
        {"name": "blob", "type": "bytes"},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["OK", "FAULT"]}},
        {"name": "again", "type": "plant.State"},
        {"name": "mac", "type": {"type": "fixed", "name": "Mac", "size": 6}},
        {"name": "list", "type": {"type": "array", "items": ["null", "long", "string"]}},
        {"name": "table", "type": {"type": "map", "values": {"type": "array", "items": "double"}}},
        {"name": "maybe", "type": ["null", "double", "string", {"type": "map", "values": "int"}]},
        {"name": "node", "type": NODE},
        {"name": "date", "type": {"type": "int", "logicalType": "date"}},
        {"name": "clock_ms", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "clock_us", "type": {"type": "long", "logicalType": "time-micros"}},
        {"name": "at_ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "at_us", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "local_ms", "type": {"type": "long", "logicalType": "local-timestamp-millis"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 4}},
        {"name": "fixed_price", "type": {"type": "fixed", "name": "Price", "size": 9, "logicalType": "decimal", "precision": 20, "scale": 2}},
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "unknown", "type": {"type": "long", "logicalType": "of-another-world"}},
    ],
}
CAPTURE = {
    "type": "record", "name": "EventData", "namespace": "Microsoft.ServiceBus.Messaging", "fields": [
        {"name": "SequenceNumber", "type": "long"},
        {"name": "Offset", "type": "string"},
        {"name": "EnqueuedTimeUtc", "type": "string"},
        {"name": "SystemProperties", "type": {"type": "map", "values": ["long", "double", "string", "bytes"]}},
        {"name": "Properties", "type": {"type": "map", "values": ["long", "double", "string", "bytes", "null"]}},
        {"name": "Body", "type": ["null", "bytes"]},
    ],
}
ROUTED = {
    "type": "record", "name": "Message", "namespace": "Microsoft.Azure.Devices", "fields": [
        {"name": "EnqueuedTimeUtc", "type": "string"},
        {"name": "Properties", "type": {"type": "map", "values": "string"}},
        {"name": "SystemProperties", "type": {"type": "map", "values": "string"}},
        {"name": "Body", "type": ["null", "bytes"]},
    ],
}


def reading(number):
    time = datetime.datetime(1969 + number, 1 + number % 12, 1 + number % 28, number % 24, 59, 7, 123000 * (number % 3), UTC)
    node = None
    for depth in range(number % 4):
        node = {"label": f"n{depth}", "next": node}
    return {
        "nothing": None,
        "flag": number % 2 == 1,
        "small": DRAW.choice([-(2**31), -65, -64, -1, 0, 63, 64, 2**31 - 1]),
        "large": DRAW.choice([-(2**63), -(2**40), -1, 0, 8191, 8192, 2**53 + 1, 2**63 - 1]),
        "single": DRAW.choice([0.1, -1e-30, 3.4e38, 0.0]),
        "double": DRAW.choice([0.1, -0.0, 5e-324, 1.7976931348623157e308, 21.5, math.nan, math.inf, -math.inf]),
        "text \"quoted\"": DRAW.choice(["", "plain", "a \"quote\" \\ and\nnewline\x00\x1f", "ä 🌡 \u2028", "x" * 300]),
        "blob": DRAW.choice([b"", b"text", b"\x00\"\xff", "ü".encode()]),
        "state": DRAW.choice(["OK", "FAULT"]),
        "again": "FAULT",
        "mac": bytes(DRAW.randrange(256) for _ in range(6)),
        "list": [None, number, "x"] * (number % 3),
        "table": {f"k\"{key}": [key + 0.5] * key for key in range(number % 4)},
        "maybe": DRAW.choice([None, 2.5, "s", {"a": 1, "b": -1}]),
        "node": {"label": "root", "next": node},
        "date": time.date(),
        "clock_ms": datetime.time(number % 24, 1, 2, 345000),
        "clock_us": datetime.time(23, 59, 59, 999999),
        "at_ms": time,
        "at_us": time + datetime.timedelta(microseconds=number),
        "local_ms": time.replace(tzinfo=None),
        "price": decimal.Decimal(DRAW.choice(["0", "-0.0001", "12345678901234567890123456.7891", "-1", "1.5", "-128", "25.5"])),
        "fixed_price": decimal.Decimal(DRAW.choice(["0", "-0.01", "123456789012345678.91", "-123456789012345678.91"])),
        "id": uuid.UUID(int=DRAW.getrandbits(128)),
        "unknown": number,
    }


def fraction(value):
    return f".{value.microsecond:06}".rstrip("0").rstrip(".")


def as_json(value):
    """What a value becomes, by the rules of docs/avro.md."""
    if isinstance(value, datetime.datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}{fraction(value)}{'Z' if value.tzinfo else ''}"
    if isinstance(value, datetime.time):
        return f"{value:%H:%M:%S.%f}"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode("latin-1")
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "inf", "-inf": "-inf"}[str(value)]
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    return value


def write(name, schema, records, **options):
    with open(HERE / name, "wb") as file:
        fastavro.writer(file, fastavro.parse_schema(schema), records, sync_marker=MARKER, **options)
    with open(HERE / name, "rb") as file:
        return list(fastavro.reader(file))


def lines(name, values):
    (HERE / name).write_text("".join(json.dumps(value) + "\n" for value in values))


def types():
    records = [reading(number) for number in range(40)]
    for codec in ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"]:
        read = write(f"types-{codec}.avro", TYPES, records, codec=codec, sync_interval=4000)
    lines("types.jsonl", [as_json(record) for record in read])
    write("numbers.avro", {"type": "array", "items": "double"}, [[1.5, 2.5], []])
    write("empty.avro", TYPES, [])


def event(number, partition):
    system = {}
    if number % 3:
        system["x-opt-partition-key"] = f"key-{number % 5}"
    if number % 7 != 3:
        system["iothub-connection-device-id"] = f"pump-{number % 4}"
        system["iothub-enqueuedtime"] = "8/22/2018 1:55:43 PM" if number % 2 else "2018-08-22T13:55:43.5000000Z"
    sent = {"site": f"s{partition}", "count": number, "ratio": 0.5, "blob": b"\x01\xff", "nothing": None}
    if number % 4 == 1:
        # The service's own counts more.
        sent["iothub-connection-device-id"] = "of the sender"
    minute, second = divmod(number, 60)
    time = f"8/22/2018 1:{minute:02}:{second:02} PM" if partition == 0 else f"2018-08-22T13:{minute:02}:{second:02}.25Z"
    body = json.dumps({"sensor": "temp", "ts": 1534946000 + number, "value": number + 0.5}).encode()
    return {
        "SequenceNumber": number, "Offset": str(number * 100), "EnqueuedTimeUtc": time, "SystemProperties": system,
        "Properties": sent, "Body": None if number % 10 == 9 else body,
    }


def micros(text):
    for form in ["%m/%d/%Y %I:%M:%S %p", "%Y-%m-%dT%H:%M:%S.%fZ"]:
        try:
            time = datetime.datetime.strptime(text, form).replace(tzinfo=UTC)
            return round(time.timestamp()) * 1_000_000 if not time.microsecond else int(time.timestamp() * 1e6)
        except ValueError:
            pass


def seen(record):
    system, sent = record["SystemProperties"], record["Properties"]
    body = record["Body"]
    time = system.get("iothub-enqueuedtime")
    return {
        "time": micros(record["EnqueuedTimeUtc"]),
        "key": system.get("x-opt-partition-key", ""),
        "payload": None if body is None else body.decode(),
        "device": system.get("iothub-connection-device-id", sent.get("iothub-connection-device-id")),
        "enqueued": "2018-08-22T13:55:43Z" if time and time.endswith("PM") else time,
        "count": str(sent["count"]),
    }


def capture():
    for partition in [0, 1]:
        events = [event(number, partition) for number in range(30)]
        codec = ["null", "deflate"][partition]
        read = write(f"capture-{partition}.avro", CAPTURE, events, codec=codec, sync_interval=1000)
        lines(f"capture-{partition}.jsonl", [seen(record) for record in read])
    body = b'{"sensor":"temp","ts":1534946000,"value":1.5}'
    write("routed.avro", ROUTED, [{
        "EnqueuedTimeUtc": "2018-08-22T13:55:43.1230000Z", "Properties": {}, "SystemProperties": {"connectionDeviceId": "pump-1"},
        "Body": body,
    }])


if __name__ == "__main__":
    types()
    capture()
    print("made", *sorted(path.name for path in HERE.glob("*.avro")))
