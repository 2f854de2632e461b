"""The loop that the two Python peers share: Kafka -> columns -> tumbling windows -> a scorer -> Parquet.

Everything here is vectorised, over batches of records and over the series of a closed window, because this is meant to be
as fast as Python gets; what differs between the peers is the scorer. There are no guarantees: no offsets are committed, no
state is kept, and the file is complete only when the program ends well. A crash loses everything.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

WINDOW_US = 10_000_000
OUT_OF_ORDERNESS_US = 2_000_000
BATCH_RECORDS = 16_384
ROW_GROUP_ROWS = 50_000
# A broker that is silent for so long has no more records.
PATIENCE_S = 30
FIELDS = {"device": pl.String, "sensor": pl.String, "ts": pl.String, "value": pl.Float64}


def main(description, make_scorer):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--events", type=int, required=True, help="records to read")
    parser.add_argument("--models", type=Path, required=True, help="folder of a registry of models")
    parser.add_argument("--out", type=Path, required=True, help="folder for the rows")
    parser.add_argument("--parallelism", type=int, choices=[1], default=1, help="one loop; for more, start more processes")
    args = parser.parse_args()

    models = Models(args.models)
    args.out.mkdir(parents=True, exist_ok=True)
    steady = Steady(args.events)
    with Rows(args.out / "rows.parquet", models) as rows:
        windows = Windows(models, make_scorer(models), rows)
        for records in batches(args.brokers, args.topic, args.events):
            steady.read(len(records))
            partitions = np.fromiter((record.partition() for record in records), np.int32, len(records))
            windows.observe(partitions, models.columns([record.value() for record in records]))
        windows.close_all()
    print(json.dumps({"records": steady.count, "rows": rows.count, "steady_events_per_s": steady.rate()}))


def batches(brokers, topic, events):
    """Lists of records from the beginning of all partitions until so many have come."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "bench-peer",  # the client wants one; nothing is committed to it
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "check.crcs": True,
            "queued.min.messages": 200_000,
            "queued.max.messages.kbytes": 24_576,
            "fetch.min.bytes": 65_536,
            "fetch.wait.max.ms": 100,
        }
    )
    try:
        found = consumer.list_topics(topic, timeout=30).topics[topic]
        if found.error:
            raise RuntimeError(f"no topic `{topic}`: {found.error}")
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in found.partitions])
        left, last = events, time.monotonic()
        while left > 0:
            records = consumer.consume(min(BATCH_RECORDS, left), timeout=0.5)
            for error in filter(None, (record.error() for record in records)):
                raise RuntimeError(f"the broker refused: {error}")
            if records:
                left, last = left - len(records), time.monotonic()
                yield records
            elif time.monotonic() - last > PATIENCE_S:
                raise RuntimeError(f"{left} records of {events} did not come")
    finally:
        consumer.close()


class Steady:
    """Records over wall time between the moments at which a tenth and nine tenths were read: without the start and the end."""

    def __init__(self, events):
        self.marks, self.reached, self.count = [events * 0.1, events * 0.9], [], 0

    def read(self, records):
        self.count += records
        while len(self.reached) < len(self.marks) and self.count >= self.marks[len(self.reached)]:
            self.reached.append((self.count, time.perf_counter()))

    def rate(self):
        (records, begun), (records_later, ended) = self.reached
        return (records_later - records) / (ended - begun) if ended > begun else 0.0


class Models:
    """The registry as arrays, a row for each series; a series is known by the number of its row."""

    def __init__(self, folder):
        table = pq.read_table(folder)
        self.count = table.num_rows
        if set(table["kernel"].to_pylist()) != {"rbf"} or table["threshold"].null_count != self.count or table["features"].null_count != self.count:
            raise ValueError("this peer knows RBF models of the workload's four features, judged by their sign")
        self.devices, self.sensors = pl.Enum(table["device"].unique()), pl.Enum(table["sensor"].unique())
        self.device, device = self.names(table["device"], self.devices)
        self.sensor, sensor = self.names(table["sensor"], self.sensors)
        # The series of a device and a sensor; without a model it is one past the last. 16 bits, if they do, sort by radix.
        self.series = np.full((len(self.devices.categories), len(self.sensors.categories)), self.count, np.uint16 if self.count < 1 << 16 else np.uint32)
        self.series[device, sensor] = np.arange(self.count)
        self.gamma, self.intercept = table["gamma"].to_numpy(), table["intercept"].to_numpy()
        self.mean, self.scale = self.matrix(table["mean"]), self.matrix(table["scale"])
        self.coefficients = self.matrix(table["coefficients"])
        self.support_vectors = self.matrix(table["support_vectors"]).reshape(self.count, -1, self.mean.shape[1])

    @staticmethod
    def names(column, enum):
        """The names of the rows as a dictionary array, and as numbers."""
        numbers = pl.Series(column).cast(enum).to_physical().to_numpy()
        return pa.DictionaryArray.from_arrays(numbers.astype(np.int32), enum.categories.to_arrow().cast(pa.string())), numbers

    def matrix(self, column):
        return column.combine_chunks().flatten().to_numpy().reshape(self.count, -1)

    def columns(self, payloads):
        """Where in the batch the good readings are, their series, times and values. A bad record fails the reader, not only its line."""
        index = np.arange(len(payloads))
        try:
            frame = self.read(payloads)
        except (TypeError, ValueError, pl.exceptions.PolarsError):
            index = np.array([at for at, payload in enumerate(payloads) if is_object(payload)], np.int64)
            frame = self.read([payloads[at].replace(b"\n", b" ") for at in index])
        parsed = frame.select(
            # A name that no model has becomes null as well.
            pl.col("device").cast(self.devices, strict=False).to_physical(),
            pl.col("sensor").cast(self.sensors, strict=False).to_physical(),
            pl.col("ts").str.to_datetime("%+", time_unit="us", strict=False).to_physical(),
            "value",
        )
        good = parsed.select(pl.all_horizontal(pl.all().is_not_null())).to_series().to_numpy()
        if not good.all():
            parsed, index = parsed.filter(good), index[good]
        device, sensor, times, values = (parsed[name].to_numpy() for name in FIELDS)
        return index, self.series[device, sensor], times, values

    @staticmethod
    def read(payloads):
        frame = pl.read_ndjson(b"\n".join(payloads), schema=FIELDS, ignore_errors=True)
        if len(frame) != len(payloads):
            raise ValueError("a record is not a line")
        return frame


def is_object(payload):
    """The slow and certain way, for the few batches with a record that is not JSON."""
    try:
        return isinstance(json.loads(payload), dict)
    except (TypeError, ValueError):
        return False


class Windows:
    """Readings of open windows, whole, by partition: its largest time moves its clock, and all devices in it are keyed to it."""

    def __init__(self, models, scorer, rows):
        self.models, self.scorer, self.rows = models, scorer, rows
        self.clocks, self.open = {}, {}

    def observe(self, partitions, columns):
        index, series, times, values = columns
        partitions = partitions[index]
        for partition in np.unique(partitions):
            here = np.flatnonzero(partitions == partition)
            self.observe_partition(int(partition), series[here], times[here], values[here])

    def observe_partition(self, partition, series, times, values):
        # The clock as each record finds it decides whether that record is late.
        clocks = np.maximum.accumulate(np.concatenate(([self.clocks.get(partition, np.iinfo(np.int64).min // 2)], times - OUT_OF_ORDERNESS_US)))
        starts = times - times % WINDOW_US
        counted = (starts + WINDOW_US > clocks[:-1]) & (series < self.models.count)
        for start in np.unique(starts[counted]):
            into = counted & (starts == start)
            self.open.setdefault((partition, int(start)), []).append((series[into], values[into]))
        self.clocks[partition] = clocks[-1]
        for key in [key for key in self.open if key[0] == partition and key[1] + WINDOW_US <= clocks[-1]]:
            self.close(key)

    def close_all(self):
        for key in sorted(self.open):
            self.close(key)

    def close(self, key):
        parts = self.open.pop(key)
        series, count, features = aggregate(np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]))
        self.rows.add(series, key[1], count, features, self.scorer(series, features))


def aggregate(series, values):
    """The series of a window in order, their counts, and mean, std_pop, min and max as the columns of a matrix."""
    order = np.argsort(series, kind="stable")
    series, values = series[order], values[order]
    starts = np.concatenate(([0], np.flatnonzero(np.diff(series)) + 1))
    count = np.diff(np.concatenate((starts, [len(series)])))
    # Relative to the first reading, so that equal readings have a deviation of exactly 0.
    first = values[starts]
    offsets = values - np.repeat(first, count)
    offset = np.add.reduceat(offsets, starts) / count
    offsets -= np.repeat(offset, count)
    std_pop = np.sqrt(np.add.reduceat(offsets * offsets, starts) / count)
    columns = [first + offset, std_pop, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)]
    return series[starts], count, np.stack(columns, axis=1)


class Rows:
    """One Parquet file, a row group at a time."""

    def __init__(self, path, models):
        time_type = pa.timestamp("us", "UTC")
        texts, doubles = ("device", "sensor"), ("mean", "std_pop", "min", "max", "score")
        self.schema = pa.schema(
            [(name, pa.dictionary(pa.int32(), pa.string())) for name in texts]
            + [("window_start", time_type), ("window_end", time_type), ("count", pa.int64())]
            + [(name, pa.float64()) for name in doubles]
            + [("anomaly", pa.bool_())]
        )
        self.models, self.count, self.waiting, self.waiting_rows = models, 0, [], 0
        self.writer = pq.ParquetWriter(path, self.schema, compression="zstd")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.flush()
        self.writer.close()

    def add(self, series, start, count, features, score):
        self.waiting.append((series, np.full(len(series), start), count, features, score))
        self.waiting_rows += len(series)
        if self.waiting_rows >= ROW_GROUP_ROWS:
            self.flush()

    def flush(self):
        if not self.waiting:
            return
        series, start, count, features, score = (np.concatenate(parts) for parts in zip(*self.waiting))
        device, sensor = (names.take(pa.array(series)) for names in (self.models.device, self.models.sensor))
        columns = [device, sensor, start, start + WINDOW_US, count, *features.T, score, score <= 0]
        arrays = [column if isinstance(column, pa.Array) else pa.array(column, field.type) for column, field in zip(columns, self.schema)]
        self.writer.write_table(pa.Table.from_arrays(arrays, schema=self.schema))
        self.count += self.waiting_rows
        self.waiting, self.waiting_rows = [], 0


if __name__ == "__main__":
    sys.exit("this is the shared part: start numpy_consumer.py or sklearn_consumer.py")
