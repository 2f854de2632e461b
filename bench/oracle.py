"""Recomputes the workload of the benchmark from its topic, and judges what a contender wrote.

usage: oracle.py expect BROKERS TOPIC MODELS EXPECTED        reads the topic once; writes what must come out, as Parquet
       oracle.py judge EXPECTED OUT                          prints {"rows": n, "missing": n, "extra": n, "wrong": n}

Nothing of Atalaia is used: Kafka's own client, pandas and numpy. The rules are those of device clocks without silence, which
the workload never has: before a record a device's windows are closed up to the largest time it has sent, less 2 s, rounded down to the
window; what lies before is late. All windows are closed in the end.
"""

import json
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from confluent_kafka import Consumer, TopicPartition

WINDOW = 10_000_000
OUT_OF_ORDERNESS = 2_000_000
FEATURES = ["mean", "std", "min", "max"]


def readings(brokers, topic):
    """Every good record in the order of its partition: device, sensor, time in microseconds, value."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "oracle", "enable.auto.commit": False})
    partitions = sorted(consumer.list_topics(topic, 30).topics[topic].partitions)
    ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), 30)[1] for p in partitions}
    consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
    left, bad, columns = sum(ends.values()), 0, ([], [], [], [])
    while left > 0:
        for message in consumer.consume(50_000, 10):
            if message.error():
                raise SystemExit(str(message.error()))
            left -= 1
            try:
                record = json.loads(message.value())
                fields = record["device"], record["sensor"], record["ts"], float(record["value"])
            except (ValueError, KeyError, TypeError):
                bad += 1
                continue
            for column, field in zip(columns, fields):
                column.append(field)
    consumer.close()
    device, sensor, time, value = columns
    frame = pd.DataFrame({"device": pd.Categorical(device), "sensor": pd.Categorical(sensor), "value": value})
    frame["time"] = pd.to_datetime(pd.Series(time), utc=True, format="ISO8601", errors="coerce").astype("datetime64[us, UTC]").astype("int64")
    spoilt = frame["time"] < 0
    return frame[~spoilt].reset_index(drop=True), bad + int(spoilt.sum())


def windows(frame):
    """What is not late, by device, sensor and window."""
    newest = frame.groupby("device", observed=True)["time"].cummax().groupby(frame["device"], observed=True).shift()
    closed_to = (newest - OUT_OF_ORDERNESS) // WINDOW * WINDOW
    late = (frame["time"] < closed_to) & newest.notna()
    frame = frame[~late]
    keys = [frame["device"], frame["sensor"], (frame["time"] // WINDOW * WINDOW).rename("start")]
    grouped = frame.groupby(keys, observed=True)["value"]
    rows = grouped.agg(count="count", mean="mean", min="min", max="max").reset_index()
    rows["std"] = grouped.std(ddof=0).to_numpy()
    return rows, int(late.sum())


def decisions(rows, models):
    """The kernel's formula, one model for all its rows at a time."""
    models = pd.read_parquet(models).set_index(["device", "sensor"])
    out = np.full(len(rows), np.nan)
    values = rows[FEATURES].to_numpy()
    for key, places in rows.groupby(["device", "sensor"], observed=True).indices.items():
        model = models.loc[key]
        x = (values[places] - model["mean"]) / model["scale"]
        support = np.reshape(model["support_vectors"], (-1, x.shape[1]))
        distances = ((x[:, None, :] - support[None, :, :]) ** 2).sum(axis=2)
        out[places] = np.exp(-model["gamma"] * distances) @ model["coefficients"] + model["intercept"]
    return out


def expect(brokers, topic, models, expected):
    frame, bad = readings(brokers, topic)
    rows, late = windows(frame)
    rows["decision"] = decisions(rows, models)
    rows["device"], rows["sensor"] = rows["device"].astype(str), rows["sensor"].astype(str)
    rows.to_parquet(expected, index=False)
    return {"rows": len(rows), "late": late, "malformed": bad, "readings": len(frame)}


def judge(expected, out):
    if (Path(out) / "predictions").is_dir():
        theirs = f"""select device, sensor, epoch_us(window_start) as start, value_count as count, value_mean as mean,
            value_min as min, value_max as max, decision, value_std as std_sample
            from read_parquet('{out}/predictions/**/*.parquet', hive_partitioning = false)"""
    else:
        # Peers write the names of the benchmark.
        theirs = f"""select device, sensor, epoch_us(window_start) as start, count, mean, min, max, score as decision, null as std_sample
            from read_parquet('{out}/**/*.parquet', hive_partitioning = false)"""
    connection = duckdb.connect()
    connection.execute(f"create view ours as select * from read_parquet('{expected}')")
    connection.execute(f"create table theirs as {theirs}")
    close = lambda name: f"abs(o.{name} - t.{name}) <= 1e-9 * greatest(1, abs(o.{name}))"
    wrong = f"""not (o.count = t.count and {close("mean")} and {close("min")} and {close("max")}
        and (t.std_sample is null or abs(o.std - t.std_sample * sqrt((o.count - 1.0) / o.count)) <= 1e-9 * greatest(1, o.std))
        and abs(o.decision - t.decision) <= 1e-9 * greatest(1, abs(o.decision)))"""
    both = "ours o full join theirs t using (device, sensor, start)"
    found = connection.execute(f"""
        select (select count(*) from theirs), count(*) filter (where t.count is null), count(*) filter (where o.count is null),
            count(*) filter (where o.count is not null and t.count is not null and coalesce({wrong}, true))
        from {both}""").fetchone()
    for example in connection.execute(f"select o, t from {both} where coalesce({wrong}, true) limit 3").fetchall():
        print("expected, and found:", *example, file=sys.stderr)
    return dict(zip(["rows", "missing", "extra", "wrong"], found))


if __name__ == "__main__":
    action, *arguments = sys.argv[1:]
    print(json.dumps({"expect": expect, "judge": judge}[action](*arguments)))
