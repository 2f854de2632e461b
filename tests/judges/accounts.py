"""Accounts for every record of a topic, whatever its bytes: what was scored, late, refused and for which reason.

usage: accounts.py BROKERS TOPIC RESULTS_FOLDER CONFIG          prints one JSON object; exit status 1 if anything differs

Kafka's own client reads the topic, Python's json says what a record holds (JSON, long shape, arrays of it), the executable
specification of time what becomes of its readings. Compared are every row, every late reading, and every refused item in the
order of the log. CONFIG is JSON: `pipeline`, and the settings of the specification. Limits are the defaults of `ingest.decode`.
"""

import json
import math
import re
import sys
from collections import Counter
from datetime import datetime, timezone
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import pandas as pd

from datasets import files, read_all
from topic import compare, frame_of, records, timespec

RECORD_BYTES_MAX, DEPTH_MAX, ID_BYTES_MAX, FIELDS_MAX = 1 << 20, 32, 1024, 1024
TIMES = range(-62_135_596_800_000_000, 253_402_300_800_000_000)
DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
CALENDAR = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):?([0-9]{2})?)?")


class Refused(Exception):
    """Its text is the reason."""


class Number(str):
    """A JSON number as it is written."""


class Object(dict):
    """An object, and how many fields it was written with."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self.written = len(pairs)
        self.lost = [value for at, (key, value) in enumerate(pairs) if any(key == later for later, _ in pairs[at + 1 :])] if len(pairs) != len(self) else []


# === What a record holds ===


def too_deep_at(text):
    """Where the nesting first goes beyond the limit; brackets in texts do not count."""
    depth = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"?|[\[{\]}]', text, re.DOTALL):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > DEPTH_MAX:
            return token.start()
    return math.inf


def no_word(word):
    raise Refused("invalid_json")


def parse(text):
    deep = too_deep_at(text)
    try:
        value = json.loads(text, parse_constant=no_word, parse_int=Number, parse_float=Number, object_pairs_hook=Object)
    except json.JSONDecodeError as error:
        raise Refused("too_deep" if deep < error.pos else "invalid_json") from None
    except RecursionError:
        raise Refused("too_deep") from None
    if deep < math.inf:
        raise Refused("too_deep")
    return value


def fields_in(value):
    """All that are written, also those that a later one of their name replaces."""
    inner = [*value.values(), *value.lost] if isinstance(value, Object) else value if isinstance(value, list) else []
    return getattr(value, "written", 0) + sum(map(fields_in, inner))


def scalar(record, name):
    value = record.get(name)
    if value is None:
        raise Refused("missing_field")
    if isinstance(value, str) and not isinstance(value, Number) and any(0xD800 <= ord(c) < 0xE000 for c in value):
        raise Refused("invalid_json")
    if not isinstance(value, str):
        raise Refused("wrong_type")
    return value


def identity(record, name):
    value = scalar(record, name)
    if not value:
        raise Refused("missing_field")
    if len(value.encode()) > ID_BYTES_MAX:
        raise Refused("id_too_long")
    return str(value)


def milliseconds(text):
    number = Decimal(text)
    if number.adjusted() > 30:
        raise Refused("bad_time")
    return math.floor(number * 1000)


def calendar(text):
    match = CALENDAR.fullmatch(text)
    if not match:
        raise Refused("bad_time")
    *parts, fraction, sign, hours, minutes = match.groups()
    try:
        whole = int(datetime(*map(int, parts), tzinfo=timezone.utc).timestamp())
    except ValueError:
        raise Refused("bad_time") from None
    hours, minutes = int(hours or 0), int(minutes or 0)
    if hours > 23 or minutes > 59:
        raise Refused("bad_time")
    east = (hours * 3600 + minutes * 60) * (-1 if sign == "-" else 1)
    return (whole - east) * 1_000_000 + int((fraction or "")[:6].ljust(6, "0"))


def moment(record):
    value = scalar(record, "ts")
    text = value.strip(" \t")
    micros = milliseconds(text) if isinstance(value, Number) or DECIMAL.fullmatch(text) else calendar(text)
    if micros not in TIMES:
        raise Refused("bad_time")
    return micros


def measured(record):
    value = scalar(record, "value")
    text = value.strip(" \t")
    if not DECIMAL.fullmatch(text) or not math.isfinite(float(text)):
        raise Refused("bad_value")
    return float(text)


def reading(item):
    if not isinstance(item, Object):
        raise Refused("wrong_type")
    return identity(item, "device"), identity(item, "sensor"), moment(item), measured(item)


def decode(payload):
    """[(index, reading)] and [(index, reason)], or a refusal of the record as a whole."""
    if len(payload) > RECORD_BYTES_MAX:
        raise Refused("too_large")
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("not_utf8") from None
    if not text.lstrip("\ufeff").strip(" \t\n\r\x0c"):
        raise Refused("empty")
    value = parse(text.removeprefix("\ufeff"))
    items = value if isinstance(value, list) else [value]
    if any(fields_in(item) > FIELDS_MAX for item in items):
        raise Refused("too_many_fields")
    if not isinstance(value, list):
        return [(0, reading(value))], []
    good, bad = [], []
    for index, item in enumerate(items):
        try:
            good.append((index, reading(item)))
        except Refused as refused:
            bad.append((index, str(refused)))
    return good, bad


# === What must become of it ===


def account(log, rules):
    """Of one partition: rows, tally, late readings (position, index), refused items (reason, position) as they come."""
    stage, late, refused = timespec.Stage(rules), set(), []
    for position, broker_time, payload in log:
        entry, good, bad = {"position": position, "broker_time": broker_time}, [], []
        try:
            if payload is None:
                entry["tombstone"] = True
            else:
                good, bad = decode(payload)
                entry["readings"] = [reading for _, reading in good]
        except Refused as reason:
            entry["undecodable"] = str(reason)
            bad = [(None, str(reason))]
        for line in timespec.step(stage, entry):
            if line["kind"] == "late":
                late.add((position, good[line["index"]][0]))
            elif line["kind"] == "rejected":
                refused.append((line["reason"], position))
        refused += [(reason, position) for _, reason in bad]
    stage.end("all")
    rows = stage.emit()
    return rows, Counter(stage.s["tally"]), late, refused


def runs(items):
    """Consecutive items of one reason: (reason, first position, last position, count)."""
    grouped = ((reason, list(group)) for reason, group in groupby(items, key=lambda item: item[0]))
    return [(reason, group[0][1], group[-1][2], sum(item[3] for item in group)) for reason, group in grouped]


def side(folder):
    """The rows of a dataset in the order of its files, which is that of the commits of each partition."""
    return pd.concat([pd.read_parquet(path, partitioning=None) for path in files(folder)], ignore_index=True)


def misnamed(folder, topic, pipeline):
    """Files whose names are not of the agreed forms: nothing that a message holds may be in one."""
    topic, pipeline = re.escape(topic), re.escape(pipeline)
    forms = re.compile(
        rf"(predictions|late|quarantine|runs)/date=[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}/{topic}-[0-9]{{5}}-[0-9a-f]{{8}}-[0-9]{{10}}\.parquet"
        rf"|state/{pipeline}/({topic}/[0-9]+/(state|complete_to|log/[0-9]{{20}})|markers/{topic}-[0-9]+)"
    )
    names = [str(path.relative_to(folder)) for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    return len(names), [name for name in names if not forms.fullmatch(name)]


def main():
    brokers, topic, folder, config = sys.argv[1:5]
    config = json.loads(config)
    pipeline = config.pop("pipeline")
    problems, rows, tally, late, reasons = [], [], Counter(), set(), Counter()
    got_late, got_refused = side(f"{folder}/late"), side(f"{folder}/quarantine")
    for partition, log in records(brokers, topic).items():
        partition_rows, counts, partition_late, refused = account(log, config)
        rows += [{**row, "partition": partition} for row in partition_rows]
        tally.update(counts)
        late |= {(partition, *place) for place in partition_late}
        reasons.update(reason for reason, _ in refused)
        got = got_refused[got_refused["partition"] == partition]
        got = runs(zip(got["reason"], got["first_position"], got["last_position"], got["count"]))
        right = runs((reason, position, position, 1) for reason, position in refused)
        differ = next(((a, b) for a, b in zip(got, right) if a != b), None)
        if differ or len(got) != len(right):
            problems.append(f"quarantine of {partition}: {len(got)} runs, {len(right)} expected; the first that differs: {differ}")
    for reader, frame in read_all(f"{folder}/predictions").items():
        # A series may come from several partitions: it then has a row of each.
        for partition in sorted({row["partition"] for row in rows} | set(frame["source_partition"])):
            got = frame[frame["source_partition"] == partition].reset_index(drop=True)
            wrong, _ = compare(got, frame_of([row for row in rows if row["partition"] == partition]), {"duplicates": False})
            problems += [f"{reader}, partition {partition}: {problem}" for problem in wrong]
        # Elements that decoding refused are no readings to the specification; all others are somewhere.
        lost = tally["readings"] - int(frame["value_count"].sum()) - len(got_late) - tally["rejected"]
        if lost:
            problems.append(f"{reader}: {lost} readings are neither in a row, nor late, nor refused")
    places = list(zip(got_late["partition"], got_late["position"], got_late["index"]))
    if len(places) != len(late) or set(places) != late:
        problems.append(f"late: {len(places)} rows, {len(late)} expected")
    bad_details = [text for text in got_refused["detail"] if not text or len(text) > 200 or not text.isprintable()]
    if bad_details:
        problems.append(f"{len(bad_details)} details are empty, long or not printable: {bad_details[0]!r}")
    names, wrong = misnamed(folder, topic, pipeline)
    if wrong:
        problems.append(f"{len(wrong)} files have other names: {wrong[:3]}")
    if tally["records"] != tally["decoded"] + tally["undecodable"] + tally["tombstones"]:
        problems.append(f"the records do not add up: {dict(tally)}")
    print(json.dumps({"good": not problems, **tally, "rows": len(rows), "late": len(late), "refused": dict(sorted(reasons.items())), "files": names, "problems": problems}))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
