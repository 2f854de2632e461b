"""What must have come out, recomputed from the topic alone, partition by partition.

Another client than the product's reads the topic (aiokafka, its own protocol code; Microsoft's for Event Hubs), `timespec`, the executable
specification of time, makes windows of it. From the product it takes one thing: the steps by which wall time moved the arrival
clock, as the commit logs journal them; they cannot be known otherwise, and they only ever close windows of silent devices.
"""

import asyncio
import gc
import json
import logging
import math
import multiprocessing
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import parts

sys.path.insert(0, str(Path(__file__).parent.parent / "timespec"))
import timespec  # noqa: E402

TEXT, LONG, REAL = pa.string(), pa.int64(), pa.float64()
ROW = {"device": TEXT, "sensor": TEXT, "start": LONG, "count": LONG, "closed_by": TEXT}
ROW |= {name: REAL for name in ("sum", "mean", "std", "min", "max", "first", "last", "delta")}
AGGREGATE_TYPES = {f"value_{name}": kind for name, kind in ROW.items() if kind == REAL}
LATE = {"position": LONG, "index": LONG, "device": TEXT, "sensor": TEXT, "t": LONG, "value": REAL, "closed_to": LONG, "closed_by": TEXT}
REFUSED = {"position": LONG, "reason": TEXT}
ROWS_A_GROUP = 100_000
EMIT_EVERY = 20_000


class Table:
    """Rows of dictionaries, written to Parquet group by group, so that memory holds only the last one."""

    def __init__(self, path, columns):
        self.columns = columns
        self.schema = pa.schema([("partition", pa.int32()), *columns.items()])
        self.writer = pq.ParquetWriter(path, self.schema)
        self.rows = []

    def add(self, partition, line):
        self.rows.append((partition, *map(line.get, self.columns)))
        if len(self.rows) >= ROWS_A_GROUP:
            self.flush()

    def flush(self):
        if self.rows:
            self.writer.write_table(pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(zip(*self.rows), self.schema)], schema=self.schema))
            self.rows = []

    def close(self):
        self.flush()
        self.writer.close()


# Python reads NaN and Infinity where JSON has none. Made once: `json.loads` with options makes a decoder each time.
READ_JSON = json.JSONDecoder(parse_constant=lambda word: 1 / 0).decode


def decode(payload):
    """One reading in the long shape with its time in epoch ms; None for what must be refused."""
    try:
        record = READ_JSON(payload.decode())
    except (ValueError, ZeroDivisionError):
        return None
    if not isinstance(record, dict):
        return None
    device, sensor, time_ms, value = map(record.get, ("device", "sensor", "ts", "value"))
    if not (isinstance(device, str) and device and isinstance(sensor, str) and sensor and type(time_ms) is int):
        return None
    if type(value) not in (int, float) or not math.isfinite(value):
        return None
    return device, sensor, time_ms * 1000, float(value)


async def judge(job):
    place, partition, rules, steps, folder = job
    stage = timespec.Stage(rules)
    rows, late, refused = (Table(f"{folder}/{name}-{partition}.parquet", columns) for name, columns in
                           (("rows", ROW), ("late", LATE), ("refused", REFUSED)))
    steps = sorted(map(tuple, steps), key=lambda step: step[0])
    tally, record_at, begun, emitted, late_devices = Counter(), stage.record, time.process_time(), 0, Counter()

    def emit():
        for row in stage.emit():
            rows.add(partition, row)

    def tick_before(position):
        while steps and steps[0][0] <= position:
            stage.tick(steps.pop(0)[1])

    async for batch in parts.read(place, partition):
        for position, time_ms, payload in batch:
            if steps and steps[0][0] <= position:
                tick_before(position)
            entry = {"position": position, "broker_time": time_ms * 1000}
            if payload is None:
                entry["tombstone"] = True
            elif (reading := decode(payload)) is None:
                entry["undecodable"] = "undecodable"
            else:
                entry["readings"] = (reading,)
            for line in record_at(entry):
                if line["kind"] == "late":
                    late.add(partition, line)
                    late_devices[line["device"].partition("-")[0]] += 1
                else:
                    refused.add(partition, line)
                    tally[f"refused_{line['reason']}"] += 1
        emitted += len(batch)
        if emitted >= EMIT_EVERY:
            emitted = 0
            emit()
    tick_before(float("inf"))
    stage.end("all")
    emit()
    for table in (rows, late, refused):
        table.close()
    tally.update(stage.s["tally"])
    return partition, {**tally, "open": stage.open_readings(), "late_by_habit": dict(late_devices), "cpu_seconds": round(time.process_time() - begun, 2)}


def work(job):
    # Millions of small objects and hardly a cycle: looking for cycles all the time is in vain.
    gc.set_threshold(100_000, 50, 100)
    for client in ("aiokafka", "azure"):
        logging.getLogger(client).setLevel(logging.CRITICAL)
    return asyncio.run(judge(job))


def expected(place, partitions, rules, steps, folder, processes=2):
    """Writes rows-, late- and refused-PARTITION.parquet into the folder; gives the tallies by partition."""
    jobs = [(place, partition, rules, steps.get(partition, []), str(folder)) for partition in range(partitions)]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return dict(pool.imap_unordered(work, jobs))
