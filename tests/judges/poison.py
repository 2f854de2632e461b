"""Fills a topic with what no producer should send, among good readings; the same for the same seed.

usage: poison.py BROKERS TOPIC SEED          makes the topic, prints one JSON object: records in all and of each kind

Every kind is a function of a `Case`: its payload is bytes, or None for a tombstone. What must become of them is not said here:
`accounts.py` reads the topic and finds out by itself.
"""

import gzip
import json
import random
import sys
import time
import zlib
from collections import Counter

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 4
RECORDS = 12_000
RECORD_BYTES_MAX = 1 << 20
LARGEST = 10 << 20
# Shorter than the silence that closes a device, so that only the clocks of devices and the end close windows.
SPAN_SECONDS = 800
LETTERS = "abcXYZ019 ._-/\\\"'{}[]:,\t\n\r\0\u00e9\u4e2d\u202e\u200b\ufeff\u0301\U0001f321\U0010ffff"


class Case:
    """Chance, and the time and device of the record at hand; a device sends to one partition, whatever ids it makes up."""

    def __init__(self, chance):
        self.chance, self.number, self.ms, self.device = chance, 0, 0, ""

    def next(self, number, ms):
        self.number, self.ms, self.device = number, ms, f"d{self.chance.randrange(20)}"
        return self

    def fields(self, **other):
        """A good reading, save for what is said otherwise."""
        good = dict(device=self.device, sensor=self.chance.choice(["s0", "s1"]), ts=self.ms, value=round(self.chance.uniform(0, 100), 3))
        return {name: value for name, value in {**good, **other}.items() if value is not ...}

    def record(self, **other):
        return json.dumps(self.fields(**other), ensure_ascii=self.chance.random() < 0.5).encode("utf-8", "surrogatepass")

    def raw(self, **other):
        """The same with values that are JSON text already."""
        fields = {name: json.dumps(value) for name, value in self.fields().items()} | other
        return ("{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}").encode()

    def text(self, length):
        return "".join(self.chance.choice(LETTERS) for _ in range(length))


def broken_utf8(case):
    bad = case.chance.choice([b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80"])
    good = case.record()
    at = case.chance.randrange(len(good) + 1)
    return good[:at] + bad + good[at:]


def truncated(case):
    good = case.record(device="caf\u00e9")
    return good[: case.chance.randrange(1, len(good))]


def deep(case):
    levels = case.chance.choice([30, 31, 32, 33, 100, 1000, 100_000])
    opening, closing = case.chance.choice([("[", "]"), ('{"a":', "}")])
    inner = opening * levels + "1" + closing * levels
    return case.chance.choice([case.raw(x=inner), inner.encode(), (opening * levels).encode()])


def huge_number(case):
    number = case.chance.choice(["1e308", "-1.7976931348623157e308", "1e309", "-1e999", "1e99999999999", "9" * 400, "0." + "0" * 400 + "1", "1e-400", "123456789012345678901234567890"])
    # Of its own device: sums of such numbers are not finite.
    return case.raw(device=f'"huge-{case.number}"', value=number)


def no_number(case):
    return case.raw(value=case.chance.choice(["NaN", "Infinity", "-Infinity", "nan", "+1", "01", ".5", "1.", "0x10", "1_0", "--1", "1e", "True"]))


def number_as_text(case):
    return case.record(value=case.chance.choice(["21.5", " 7 ", "+5", ".5", "5.", "1e3", "-007", "NaN", "inf", "", " ", "0x10", "21,5", "1e999", "\u0661", "1.2.3", "21.5 C"]))


def duplicate_keys(case):
    extra = case.chance.choice(['"value":"x"', '"value":1.5', '"ts":null', '"device":[1]', '"sensor":"s0","sensor":"s1"', '"val\\u0075e":2.5', '"value":{"value":3}'])
    good = case.record().decode()
    return (f"{{{extra},{good[1:]}" if case.chance.random() < 0.5 else f"{good[:-1]},{extra}}}").encode()


def wrong_schema(case):
    field = case.chance.choice(["device", "sensor", "ts", "value"])
    return case.record(**{field: case.chance.choice([..., None, True, [], {}, [1, 2], {"id": 5}, "", "x"])})


def no_object(case):
    return case.chance.choice([b"null", b"true", b"1.5", b'"text"', b"[]", b"{}", b"[[]]", b"temperature=21.5", b"<a/>", b"{}{}", b"[1,]", b'{"a":1,}', b"'x'", b"\0", b"{", b"]"])


def blank(case):
    return case.chance.choice([b"", b" ", b"\r\n\t ", b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf \n", b"\x0c", b"\x0b", b"\xc2\xa0"])


def byte_order_mark(case):
    return b"\xef\xbb\xbf" * case.chance.choice([1, 1, 2]) + case.record()


def odd_time(case):
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(case.ms // 1000))
    return case.record(ts=case.chance.choice([f"{second}Z", f"{second}.25Z", f"{second}+00:00", second.replace("T", " "), "yesterday", "2018-13-01T00:00:00Z", "2018-02-30T00:00:00Z",
                                              f"{second}+25:00", str(case.ms), 10**30, -(10**30), 1.5e12, case.ms + 86_400_000, case.ms - 60_000, case.ms - 300_000, -1, 0]))


def hostile_id(case):
    made = case.chance.choice(["../../etc/passwd", "..", ".", "/", "a/b", "a\\b", "C:\\x", "date=2018-01-01", "x.parquet", "%2e%2e%2f", "\0", "a\0b", "\u202egnp.exe", "\u200b", "\ufeff", "\r\nSet-Cookie: x",
                               "\x1b[2J\x1b]0;x\x07", "'; drop table predictions; --", "${jndi:ldap://x}", "{{7*7}}", "\U0001f321\ufe0f", "e\u0301", "\u00e9", " ", "null", "NaN", "con", "~", "*", "?", "-rf", "_", "\x7f", "\u0085", "\ud800"])
    made = made if case.chance.random() < 0.7 else case.text(case.chance.randrange(1, 12))
    return case.record(device=made)


def long_id(case):
    return case.record(device="\u00e9" * 511 + "y" * case.chance.choice([1, 2, 3, 4, 100, 30_000]))


def id_as_number(case):
    return case.raw(device=case.chance.choice(["7", "7.0", "-0", "1e5", "123456789012345678901234567890"]))


def array(case):
    bad = [None, 1, "x", [], {}, [case.fields()], case.fields(value=None), case.fields(ts="x"), case.fields(sensor=""), case.fields(ts=case.ms + 86_400_000), case.fields(ts=case.ms - 120_000)]
    items = [case.chance.choice(bad) if case.chance.random() < 0.4 else case.fields() for _ in range(case.chance.randrange(12))]
    return json.dumps(items).encode()


def many_fields(case):
    count = case.chance.choice([1000, 1020, 1021, 5000])
    return case.record(**{f"f{n}": n for n in range(count)})


def compressed(case):
    return case.chance.choice([BOMB, gzip.compress(case.record()), zlib.compress(b"[" * 100_000), b"\x28\xb5\x2f\xfd\x00\x00\xff\xff", b"PK\x03\x04"])


def noise(case):
    return case.chance.randbytes(case.chance.randrange(1, 300))


def flipped(case):
    good = bytearray(case.record())
    good[case.chance.randrange(len(good))] ^= 1 << case.chance.randrange(7)
    return bytes(good)


def large(case):
    size = case.chance.choice([RECORD_BYTES_MAX - 1, RECORD_BYTES_MAX, RECORD_BYTES_MAX + 1])
    return padded(case, size)


def largest(case):
    return case.chance.choice([padded(case, LARGEST), b" " * LARGEST, b"[" * LARGEST, b"\xff" * LARGEST])


def padded(case, size):
    good = case.record(x="")
    return good[:-2] + b"y" * (size - len(good)) + good[-2:]


BOMB = gzip.compress(bytes(64 << 20))
# How many of each there are; the rest of the records are good.
KINDS = {
    broken_utf8: 500, truncated: 500, deep: 300, huge_number: 300, no_number: 300, number_as_text: 400, duplicate_keys: 400, wrong_schema: 600, no_object: 400, blank: 300, byte_order_mark: 200,
    odd_time: 600, hostile_id: 800, long_id: 200, id_as_number: 100, array: 500, many_fields: 60, compressed: 200, noise: 400, flipped: 500, large: 12, largest: 4,
}  # fmt: skip
TOMBSTONES = 300


def messages(seed, start_ms):
    """(kind, partition, key, payload, milliseconds), in the order in which they are sent."""
    case = Case(random.Random(seed))
    kinds = [kind for kind, count in KINDS.items() for _ in range(count)] + ["tombstone"] * TOMBSTONES
    kinds += ["good"] * (RECORDS - len(kinds))
    case.chance.shuffle(kinds)
    for number, kind in enumerate(kinds):
        case.next(number, start_ms + number * SPAN_SECONDS * 1000 // RECORDS)
        payload = None if kind == "tombstone" else case.record() if kind == "good" else kind(case)
        key = case.device.encode()
        yield getattr(kind, "__name__", kind), zlib.crc32(key) % PARTITIONS, key, payload, case.ms


def main():
    brokers, topic, seed = sys.argv[1:4]
    room = str(LARGEST + (1 << 20))
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1, config={"max.message.bytes": room})])[topic].result(30)
    # Compressed by the client: a batch of the largest takes a thousandth of its size on the wire.
    producer = Producer({"bootstrap.servers": brokers, "message.max.bytes": room, "compression.type": "zstd", "linger.ms": 20, "queue.buffering.max.kbytes": 512 << 10})
    failed, kinds = [], Counter()
    # Midnight three days ago: no clock is behind it, and no broker deletes it for its age.
    start = (int(time.time()) // 86_400 - 3) * 86_400_000
    for kind, partition, key, payload, ms in messages(int(seed), start):
        producer.produce(topic, payload, key, partition, timestamp=ms, on_delivery=lambda error, _: error and failed.append(str(error)))
        producer.poll(0)
        kinds[kind] += 1
    left = producer.flush(60)
    if left or failed:
        raise SystemExit(f"{left} records are not delivered; {failed[:3]}")
    print(json.dumps({"records": sum(kinds.values()), "kinds": kinds}))


if __name__ == "__main__":
    main()
