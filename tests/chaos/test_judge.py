"""The judge and the reader of logs find what they are there to find:  PYTHON -m unittest discover -s tests/chaos

Needs the judges' Python, but no service: the datasets are written here, from what the rules say of a small fleet's records, and
then tampered with.
"""

import hashlib
import json
import pickle
import struct
import tempfile
import unittest
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.svm import OneClassSVM

import judge
import logs
from fleet import NEVER_LATE, RULES, Fleet
from oracle import AGGREGATE_TYPES, LATE, REFUSED, ROW, Table, decode, timespec

STAMP = pa.timestamp("us", "UTC")
MIDNIGHT_MS = 1_700_006_400_000


def fold(folder, steps=700):
    """The oracle's files and tallies for partition 0, without a topic."""
    fleet = Fleet(7, MIDNIGHT_MS - 100_000, devices=20, sensors=1, partitions=1)
    stage, position, habits = timespec.Stage(RULES), 0, Counter()
    tables = [Table(folder / f"{name}-0.parquet", columns) for name, columns in (("rows", ROW), ("late", LATE), ("refused", REFUSED))]
    records = [record for step in range(steps) for record in fleet.step(step)] + list(fleet.rest(steps))
    for _, _, payload, time_ms in records:
        entry = {"position": position, "broker_time": time_ms * 1000}
        reading = payload is not None and decode(payload)
        entry |= {"tombstone": True} if payload is None else {"readings": [reading]} if reading else {"undecodable": "undecodable"}
        for line in stage.record(entry):
            tables[1 if line["kind"] == "late" else 2].add(0, line)
            habits[line.get("device", "").partition("-")[0]] += line["kind"] == "late"
        position += 1
    stage.end("all")
    for row in stage.emit():
        tables[0].add(0, row)
    for table in tables:
        table.close()
    return {0: {**stage.s["tally"], "open": 0, "late_by_habit": dict(habits)}}


class JudgeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.holder.name)
        (cls.folder / "expected").mkdir()
        (cls.folder / "models").mkdir()
        cls.tallies = fold(cls.folder / "expected")
        random = np.random.default_rng(1)
        cls.model = OneClassSVM(gamma=0.3, nu=0.1).fit(random.normal(50, 1.3, (40, 1)))
        (cls.folder / "models" / "model_steady-0000_s0").write_bytes(pickle.dumps(cls.model))

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def rows(self):
        """The predictions as they should be, as dictionaries."""
        for row in pq.read_table(self.folder / "expected" / "rows-0.parquet").to_pylist():
            is_scored = (row["device"], row["sensor"]) == ("steady-0000", "s0")
            decision = float(self.model.decision_function([[row["mean"]]])[0]) if is_scored else None
            yield {
                "device": row["device"], "sensor": row["sensor"], "window_start": row["start"], "window_end": row["start"] + RULES["window"],
                "value_count": row["count"], **{f"value_{name}": row[name] for name in judge.AGGREGATES}, "closed_by": row["closed_by"],
                "status": "scored" if is_scored else "no_model", "decision": decision, "is_anomaly": is_scored and decision < 0,
                "prediction": int(decision < 0) if is_scored else None, "source_partition": 0,
            }  # fmt: skip

    def late(self):
        for row in pq.read_table(self.folder / "expected" / "late-0.parquet").to_pylist():
            taken = {name: row[name] for name in ("device", "sensor", "value", "closed_by", "position", "index", "partition")}
            yield {**taken, "event_time": row["t"], "late_by": row["closed_to"] - row["t"]}

    def quarantine(self):
        for row in pq.read_table(self.folder / "expected" / "refused-0.parquet").to_pylist():
            reason = "invalid_json" if row["reason"] == "undecodable" else row["reason"]
            yield {"reason": reason, "first_position": row["position"], "last_position": row["position"], "index": None, "count": 1, "partition": 0}

    def verdict(self, rows=None, late=None, quarantine=None, header=None):
        with tempfile.TemporaryDirectory() as got:
            for name, lines in (("predictions", rows or self.rows()), ("late", late or self.late()), ("quarantine", quarantine or self.quarantine())):
                self.write(Path(got) / name, list(lines))
            chains = {0: [{**self.header(Path(got)), **(header or {})}]}
            found, self.figures = judge.compare(self.folder / "expected", got, self.folder / "models", self.tallies, RULES["window"], chains, NEVER_LATE)
            return found

    def header(self, got):
        """One record that holds all, as its owner would have written it."""
        tally = self.tallies[0]
        files = [path.relative_to(got).as_posix().partition("/") + (path.stat().st_size,) for path in got.rglob("*.parquet")]
        ledger = {name: tally[name] for name in ("records", "decoded", "undecodable", "tombstones", "readings", "late", "rejected")}
        ledger |= {"emitted": tally["counted"], "rows_in_files": tally["rows"], "late_in_files": tally["late"]}
        ledger["quarantined_in_files"] = tally["undecodable"] + tally["rejected"]
        return {
            "seq": 1, "next": tally["records"], "ledger": ledger,
            "files": [{"dataset": dataset, "name": name, "length": length} for dataset, _, name, length in files],
        }  # fmt: skip

    def write(self, folder, lines):
        times = {"window_start": STAMP, "window_end": STAMP, "event_time": STAMP, "decision": pa.float64(), "prediction": pa.int32(), "index": pa.int32()}
        for date in ("2023-11-14", "2023-11-15"):
            path = folder / f"date={date}" / "part.parquet"
            path.parent.mkdir(parents=True)
            of_date = [line for line in lines if (line.get("window_start", 0) < MIDNIGHT_MS * 1000) == (date == "2023-11-14")]
            columns = {name: pa.array([line[name] for line in of_date], times.get(name) or AGGREGATE_TYPES.get(name)) for name in lines[0]}
            pq.write_table(pa.table(columns), path)

    def test_all_is_well(self):
        verdict = self.verdict()
        self.assertEqual(verdict.problems, [])
        tally = self.tallies[0]
        self.assertGreater(min(tally["late"], tally["rejected"], tally["undecodable"], self.figures["scored"], self.figures["anomalies"]), 0, tally)
        self.assertEqual(self.figures["rows"], tally["rows"])

    def test_one_row_lost_doubled_or_made_up(self):
        rows = list(self.rows())
        verdict = self.verdict(rows[1:])
        self.assertEqual(verdict.figures["lost"], 1 + rows[0]["value_count"])
        self.assertEqual(self.verdict([rows[0], *rows]).figures, {"duplicates": 1})
        strange = {**rows[0], "device": "nobody"}
        self.assertGreater(self.verdict([strange, *rows]).figures["wrong"], 0)

    def test_one_value_wrong(self):
        rows = list(self.rows())
        at = next(n for n, row in enumerate(rows) if row["status"] == "scored" and row["value_count"] > 2 and row["value_delta"])
        for name, other in {
            **{f"value_{name}": rows[at][f"value_{name}"] + 1e-6 for name in judge.AGGREGATES},
            "value_delta": None, "closed_by": "floor", "source_partition": 1, "window_end": 1, "decision": rows[at]["decision"] + 1e-5,
            "is_anomaly": not rows[at]["is_anomaly"], "status": "no_model",
        }.items():  # fmt: skip
            with self.subTest(name):
                self.assertGreaterEqual(self.verdict([*rows[:at], {**rows[at], name: other}, *rows[at + 1 :]]).figures["wrong"], 1)

    def test_late_readings(self):
        late = list(self.late())
        self.assertEqual(self.verdict(late=late[1:]).figures["lost"], 2)
        self.assertEqual(self.verdict(late=[late[0], *late]).figures, {"duplicates": 1})
        self.assertEqual(self.verdict(late=[{**late[0], "value": 1.0}, *late[1:]]).figures, {"wrong": 1})
        self.assertEqual(self.verdict(late=[{**late[0], "device": "steady-0000"}, *late[1:]]).figures, {"wrong": 1, "late_in_order": 1})

    def test_quarantine(self):
        refused = list(self.quarantine())
        self.assertEqual(self.verdict(quarantine=refused[1:]).figures["lost"], 2)
        self.assertEqual(self.verdict(quarantine=[{**refused[0], "count": 2}, *refused[1:]]).figures, {"duplicates": 2})
        self.assertGreater(self.verdict(quarantine=[{**refused[0], "first_position": 0}, *refused[1:]]).figures["wrong"], 0)

    def test_ledgers(self):
        right = self.header(self.folder)
        short = {**right["ledger"], "rows_in_files": right["ledger"]["rows_in_files"] - 1}
        self.assertEqual(self.verdict(header={"ledger": short}).figures, {"wrong": 1})
        unbalanced = {**right["ledger"], "open": 3}
        self.assertEqual(self.verdict(header={"ledger": unbalanced}).figures, {"wrong": 6})
        self.assertEqual(self.verdict(header={"next": right["next"] - 5}).figures, {"lost": 5})

    def test_files_and_records_belong_together(self):
        self.assertGreater(self.verdict(header={"files": []}).figures["wrong"], 0)
        entry = {"dataset": "late", "name": "date=2023-11-14/other.parquet", "length": 1}
        self.assertEqual(self.verdict(header={"files": [entry]}).figures["lost"], 1)
        one = {"dataset": "late", "name": "date=2023-11-14/part.parquet", "length": 1}
        self.assertEqual(len(self.verdict(header={"files": [one]}).problems), 2)


class LogTest(unittest.TestCase):
    def record(self, seq, previous, nonce, steps=()):
        header = {"partition": 3, "seq": seq, "nonce": nonce, "wall_steps": list(steps), "previous": previous and previous[-32:].hex()}
        header = json.dumps(header).encode()
        data = struct.pack("<8sII", logs.MAGIC, 1, 1) + struct.pack("<IQI", logs.HEADER, len(header), 0) + header
        return data + hashlib.sha256(data).digest()

    def journal(self, folder, looks):
        journal = logs.Journal(["folder", str(folder)], None)
        log = folder / "state" / "chaos" / "readings" / "3" / "log"
        log.mkdir(parents=True)
        for records in looks:
            for path in log.iterdir():
                path.unlink()
            for seq, data in records.items():
                (log / f"{seq:020}").write_bytes(data)
            journal.look()
        return journal

    def test_the_chain_is_followed_over_deleted_records_and_past_those_of_a_fenced_owner(self):
        genesis = self.record(0, None, "a")
        first = self.record(1, genesis, "b", [[5, 50]])
        second = self.record(2, first, "c", [[9, 90]])
        fenced = self.record(1, genesis, "d", [[7, 70]])
        with tempfile.TemporaryDirectory() as folder:
            journal = self.journal(Path(folder), [{0: genesis, 1: first}, {2: second}, {1: fenced, 2: second}])
            self.assertEqual(len(journal.headers), 4)
            self.assertEqual(logs.wall_steps(journal.chains()[3]), [[5, 50], [9, 90]])
            self.assertEqual(journal.problems, [])

    def test_gaps_and_damage_are_told(self):
        genesis = self.record(0, None, "a")
        second = self.record(2, self.record(1, genesis, "b"), "c")
        with tempfile.TemporaryDirectory() as folder:
            journal = self.journal(Path(folder), [{0: genesis, 2: second}])
            journal.chains()
            self.assertEqual(len(journal.problems), 1)
        with tempfile.TemporaryDirectory() as folder:
            damaged = bytearray(genesis)
            damaged[40] ^= 1
            self.assertEqual(len(self.journal(Path(folder), [{0: bytes(damaged)}]).problems), 1)


if __name__ == "__main__":
    unittest.main()
