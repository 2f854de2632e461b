"""Recomputes from the topic itself what must have come out, and compares row by row.

usage: topic.py BROKERS TOPIC SCORED_FOLDER CONFIG          prints one JSON object; exit status 1 if anything differs

Kafka's own client reads the topic; the executable specification of time (tests/timespec) makes windows of it, partition by
partition; scikit-learn judges their means. CONFIG is JSON: the specification's settings (`window`, ... in microseconds), and
  close: "due" or "all" at the end of the topic         duplicates: whether a row may occur twice (with equal contents)
  models: folder of the pickles that were used          id_bytes_max, record_bytes_max, depth_max: as in `ingest.decode`
"""

import json
import math
import pickle
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, TopicPartition

from datasets import canonical, files, read_all

sys.path.insert(0, str(Path(__file__).parent.parent / "timespec"))
import timespec  # noqa: E402

VALUES = ["count", "sum", "mean", "std", "min", "max", "first", "last", "delta"]


def records(brokers, topic):
    """Every record of the topic, by partition, in order."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "judge", "enable.auto.commit": False, "enable.partition.eof": False})
    partitions = sorted(consumer.list_topics(topic, 30).topics[topic].partitions)
    ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), 30)[1] for p in partitions}
    found = {p: [] for p in partitions}
    consumer.assign([TopicPartition(topic, p, 0) for p, end in ends.items() if end > 0])
    left = sum(ends.values())
    while left > 0:
        batch = consumer.consume(10_000, 10)
        if not batch:
            raise SystemExit(f"{left} records of {topic} do not come")
        for message in batch:
            if message.error():
                raise SystemExit(str(message.error()))
            kind, time = message.timestamp()
            time = None if kind == TIMESTAMP_NOT_AVAILABLE else time * 1000
            found[message.partition()].append((message.offset(), time, message.value()))
            left -= 1
    consumer.close()
    return found


def depth(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def decode(payload, config):
    """The long shape with times in epoch milliseconds; None for what must be refused."""
    if len(payload) > config.get("record_bytes_max", 1 << 20):
        return None
    try:
        record = json.loads(payload.decode("utf-8"), parse_constant=lambda word: 1 / 0)
    except (ValueError, ZeroDivisionError):
        return None
    if not isinstance(record, dict) or len(record) > 1024 or depth(record) > config.get("depth_max", 32):
        return None
    device, sensor, time, value = (record.get(name) for name in ("device", "sensor", "ts", "value"))
    if not all(isinstance(name, str) and 0 < len(name) <= config.get("id_bytes_max", 1024) for name in (device, sensor)):
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not isinstance(time, int) or not number or abs(time) > 10**14:
        return None
    return device, sensor, time * 1000, float(value)


def expected(found, config):
    rules = {key: value for key, value in config.items() if key in timespec.DEFAULTS}
    rows, tally, late, rejected = [], Counter(), set(), Counter()
    for partition, log in found.items():
        stage = timespec.Stage(rules)
        for offset, time, payload in log:
            entry = {"position": offset, "broker_time": time}
            reading = None if payload is None else decode(payload, config)
            if payload is None:
                entry["tombstone"] = True
            elif reading is None:
                entry["undecodable"] = "refused"
            else:
                entry["readings"] = [reading]
            for line in timespec.step(stage, entry):
                if line["kind"] == "late":
                    late.add((partition, line["position"], line["index"]))
                elif line["kind"] == "rejected":
                    rejected[line["reason"]] += 1
        stage.end(config["close"])
        rows += [{**row, "partition": partition} for row in stage.emit()]
        tally.update(stage.s["tally"])
        tally["open"] += stage.open_readings()
    return rows, tally, late, rejected


def frame_of(rows):
    frame = pd.DataFrame(rows).rename(columns={name: f"value_{name}" for name in VALUES} | {"start": "window_start", "partition": "source_partition"})
    frame["window_start"] = pd.to_datetime(frame["window_start"], unit="us", utc=True).astype("datetime64[us, UTC]")
    return canonical(frame)


def judge(rows, folder):
    """Adds what scikit-learn says of each row's mean."""
    rows["status"], rows["decision"] = "no_model", np.nan
    for (device, sensor), group in rows.groupby(["device", "sensor"]):
        path = Path(folder) / f"model_{device}_{sensor}"
        if path.exists():
            model = pickle.loads(path.read_bytes())
            rows.loc[group.index, "decision"] = model.decision_function(group[["value_mean"]].to_numpy())
            rows.loc[group.index, "status"] = "scored"
    rows["is_anomaly"] = rows["decision"] < 0
    return rows


def compare(got, right, config):
    """What differs; and how many rows occur more than once."""
    problems = []
    keys = ["device", "sensor", "window_start"]
    contents = [column for column in got.columns if column not in ("features",)]
    again = int(got.duplicated(keys).sum())
    if again and not config["duplicates"]:
        problems.append(f"{again} rows occur again")
    if len(got.drop_duplicates(contents)) != len(got.drop_duplicates(keys)):
        problems.append("rows of one window differ from one another")
    got = got.drop_duplicates(keys).sort_values(keys).reset_index(drop=True)
    if not got[keys].equals(right[keys]):
        both = got[keys].merge(right[keys], how="outer", indicator=True)["_merge"].value_counts()
        problems.append(f"rows: {both['left_only']} unexpected, {both['right_only']} missing, {both['both']} as they should be")
        return problems, again
    scale = np.maximum(right["value_max"].abs(), right["value_min"].abs()).to_numpy()
    for column in [f"value_{name}" for name in VALUES] + (["decision"] if "decision" in right else []):
        have, want = got[column].astype(float).to_numpy(), right[column].astype(float).to_numpy()
        tolerance = 1e-9 * (1 + np.abs(want)) if column == "decision" else 1e-12 * (np.abs(want) if column == "value_sum" else scale)
        bad = ~((np.abs(have - want) <= tolerance) | (np.isnan(have) & np.isnan(want)))
        if bad.any():
            problems.append(f"{column} differs in {int(bad.sum())} rows")
    for column in ["source_partition", "closed_by"] + (["status", "is_anomaly"] if "status" in right else []):
        differ = int((got[column] != right[column]).sum())
        if differ:
            problems.append(f"{column} differs in {differ} rows")
    return problems, again


def side(folder, keys, duplicates):
    """The rows of `late` or `quarantine`, each once."""
    if not Path(folder).exists() or not files(folder):
        return pd.DataFrame(columns=[*keys, "count"])
    frame = next(iter(read_all(folder).values()))
    return frame.drop_duplicates(keys) if duplicates else frame


def main():
    brokers, topic, folder, config = sys.argv[1:5]
    config = json.loads(config)
    found = records(brokers, topic)
    rows, tally, late, rejected = expected(found, config)
    right = frame_of(rows)
    if "models" in config:
        right = judge(right, config["models"])
    problems, again = [], 0
    for reader, frame in read_all(f"{folder}/predictions").items():
        wrong, again = compare(frame, right, config)
        problems += [f"{reader}: {problem}" for problem in wrong]
        total = int(frame.drop_duplicates(["device", "sensor", "window_start"])["value_count"].sum())
        lost = tally["readings"] - tally["late"] - tally["rejected"] - tally["open"] - total
        if lost:
            problems.append(f"{reader}: {lost} readings are in no row, nor late, refused or open")
    got_late = side(f"{folder}/late", ["partition", "position", "index"], config["duplicates"])
    if len(got_late) != len(late) or set(zip(got_late["partition"], got_late["position"], got_late["index"])) != late:
        problems.append(f"late: {len(got_late)} rows, {len(late)} expected")
    quarantine = side(f"{folder}/quarantine", ["partition", "first_position", "last_position", "reason"], config["duplicates"])
    refused = {str(reason): int(count) for reason, count in quarantine.groupby("reason")["count"].sum().items()} if len(quarantine) else {}
    if sum(refused.values()) != tally["undecodable"] + tally["rejected"]:
        problems.append(f"quarantine: {refused}, {tally['undecodable']} undecodable and {dict(rejected)} expected")
    anomalies = int(right["is_anomaly"].sum()) if "is_anomaly" in right else None
    print(json.dumps({"good": not problems, "records": tally["records"], "rows": len(right), "again": again, "late": len(late),
                      "refused": refused, "open": tally["open"], "anomalies": anomalies, "problems": problems}))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
