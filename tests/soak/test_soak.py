"""The harness notices what it is there to notice:  PYTHON -B -m unittest discover -s tests/soak

Needs the judges' Python, but no service: a leak is made of numbers, and datasets are written here from the formulas, then tampered with.
That the formulas are right of themselves is held against the records that would be sent, one by one.
"""

import json
import pickle
import random
import sys
import tempfile
import unittest
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import load
import models
import sample
import verdict
import wire
from plan import AWAY_S, CLOSE_AFTER_S, Plan

sys.path.insert(1, str(Path(__file__).resolve().parent.parent / "chaos"))
import judge  # noqa: E402

STAMP = pa.timestamp("us", "UTC")


def samples(rss, fds=lambda hours: 40, hours=2.0, instance=0, life=1, begun=0.0):
    noise = random.Random(f"{instance}/{life}")
    for number in range(int(hours * 360)):
        at = number * 10.0
        yield {
            "instance": instance, "life": life, "at": begun + at, "rss": rss(at / 3600) + noise.gauss(0, 1 << 20),
            "fds": fds(at / 3600) + noise.choice((0, 0, 1, 6)), "threads": 30, "forbidden": {}, "reload_failures": 0,
        }  # fmt: skip


class SlopeTest(unittest.TestCase):
    def judged(self, them):
        return sample.judge_slopes(sample.lives(list(them), warm_up=180))

    def test_what_stays_as_it_is(self):
        figures, remarks = self.judged(samples(lambda hours: 100 << 20))
        self.assertEqual(remarks, [])
        self.assertLess(abs(figures["rss"]["slope"]), 0.3)

    def test_growth_within_the_warm_up_is_none(self):
        _, remarks = self.judged(samples(lambda hours: (100 << 20) - max(0, 0.05 - hours) * (900 << 20)))
        self.assertEqual(remarks, [])

    def test_a_leak_of_memory(self):
        figures, remarks = self.judged(samples(lambda hours: (100 << 20) + hours * (2 << 20)))
        self.assertEqual(len(remarks), 1)
        self.assertAlmostEqual(figures["rss"]["slope"], 2.0, delta=0.1)

    def test_a_leak_that_every_restart_hides(self):
        lives = (one for life in range(12) for one in samples(lambda hours: (100 << 20) + hours * (30 << 20), hours=1 / 6, instance=1, life=life, begun=life * 600))
        figures, remarks = self.judged(lives)
        self.assertEqual(len(remarks), 1)
        self.assertGreater(figures["rss"]["slope"], 20)

    def test_restarts_at_another_level_are_no_leak(self):
        lives = (one for life in range(12) for one in samples(lambda hours, life=life: (100 + life) << 20, hours=1 / 6, instance=1, life=life, begun=life * 600))
        self.assertEqual(self.judged(lives)[1], [])

    def test_a_leak_of_descriptors(self):
        _, remarks = self.judged(samples(lambda hours: 100 << 20, lambda hours: 40 + int(6 * hours)))
        self.assertEqual([remark.split()[0] for remark in remarks], ["fds"])

    def test_connections_made_once_are_none(self):
        _, remarks = self.judged(samples(lambda hours: 100 << 20, lambda hours: 40 + 8 * (hours > 0.2)))
        self.assertEqual(remarks, [])

    def test_unaccounted_records_and_failed_reloads(self):
        one = next(samples(lambda hours: 1))
        self.assertEqual(sample.judge_samples([one]), [])
        self.assertEqual(len(sample.judge_samples([{**one, "forbidden": {"atalaia_aggregate_unaccounted_records": 1.0}}])), 1)
        self.assertEqual(len(sample.judge_samples([{**one, "reload_failures": 2}])), 1)


def sent(plan, steps):
    """Every record of the run as it would be sent, decoded anew: (partition, key, payload)."""
    for partition in range(plan.partitions):
        devices = range(plan.of_partition(partition))
        sheets = [load.Sheet(plan, partition, devices), load.Sheet(plan, partition, [at for at in devices if load.kind_of(at) != "away"])]
        for step in range(steps):
            sheet = sheets[1 if plan.is_away(step) else 0]
            more, number = load.odd(plan, partition, step, sheet.count)
            records = list(unpacked(sheet.fill(step) + more))
            assert [delta for delta, _, _ in records] == list(range(sheet.count + number))
            for _, key, payload in records:
                yield partition, key, payload


def unpacked(data):
    at = 0

    def varint():
        nonlocal at
        number = shift = 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)

    def text():
        nonlocal at
        length = varint()
        if length < 0:
            return None
        at += length
        return bytes(data[at - length : at])

    while at < len(data):
        end = varint() + at
        at += 1
        assert varint() == 0, "no time of its own"
        delta = varint()
        yield delta, text(), text()
        assert varint() == 0 and at == end


class PlanTest(unittest.TestCase):
    """The formulas against the records, by the plainest of programs."""

    plan = Plan(devices=50, sensors=2, partitions=2, rate=25, window_s=20, start_ms=1_700_000_003_123)
    steps = 400

    def test_the_formulas_are_right(self):
        rows, tallies, newest = defaultdict(list), defaultdict(Counter), {}
        for partition, key, payload in sent(self.plan, self.steps):
            tally = tallies[partition]
            tally["records"] += 1
            if payload is None:
                tally["tombstones"] += 1
                continue
            try:
                reading = json.loads(payload)
                value = reading["value"] + 0.0
            except (ValueError, TypeError):
                tally["undecodable"] += 1
                continue
            device, time = reading["device"], reading["ts"] * 1000
            self.assertEqual(key.decode(), device)
            closed_to = (newest.get(device, -(1 << 62)) - 5_000_000) // 20_000_000 * 20_000_000
            newest[device] = max(time, newest.get(device, time))
            if time < closed_to:
                tally["late"] += 1
                continue
            rows[partition, device, reading["sensor"], time // 20_000_000 * 20_000_000].append(value)
        for partition in range(2):
            want = self.plan.tally(partition, self.steps)
            found = tallies[partition]
            for name in ("records", "undecodable", "tombstones", "late"):
                self.assertEqual(want[name], found[name], name)
            self.assertEqual(want["rows"], sum(key[0] == partition for key in rows))
            self.assertEqual(want["counted"], sum(len(values) for key, values in rows.items() if key[0] == partition))
            for at in range(self.plan.of_partition(partition)):
                for sensor in range(2):
                    series = self.plan.rows_of(partition, at, sensor, self.steps)
                    for number, start in enumerate(series["start"]):
                        values = rows[partition, self.plan.named(partition, at), f"s{sensor}", int(start)]
                        self.assertEqual((len(values), values[0], values[-1], min(values)), tuple(series[name][number] for name in ("count", "first", "last", "min")))
                        if len(values) > 1:
                            self.assertAlmostEqual(np.std(values, ddof=1), series["std"][number], delta=1e-9)
        self.assertGreater(min(tallies[0][name] for name in ("late", "undecodable", "tombstones")), 0)

    def test_all_that_is_odd_happens(self):
        plan = Plan(devices=8, sensors=1, partitions=2, rate=8, window_s=5, start_ms=0)
        tally = plan.tally(1, 3000)
        self.assertEqual((tally["late"], tally["undecodable"], tally["tombstones"]), (30, 37, 21))  # the first step is too early for a late one
        self.assertGreater(AWAY_S, CLOSE_AFTER_S, "silence must close windows")

    def test_varints(self):
        for number, want in ((0, b"\0"), (-1, b"\1"), (1, b"\2"), (64, b"\x80\x01"), (8191, b"\xfe\x7f")):
            self.assertEqual(wire.varint(number), want)


class VerdictTest(unittest.TestCase):
    plan = Plan(devices=50, sensors=2, partitions=2, rate=50, window_s=20, start_ms=1_700_000_003_123)
    steps, wanted = 1200, [(0, 0), (1, 1), (0, 3), (1, 24)]

    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.holder.name)
        models.make(cls.folder / "models", cls.plan, 2)

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def rows(self):
        for partition in range(2):
            for at in range(self.plan.of_partition(partition)):
                for sensor in range(2):
                    device, columns = self.plan.named(partition, at), self.plan.rows_of(partition, at, sensor, self.steps)
                    path = self.folder / "models" / "b" / f"model_{device}_s{sensor}"
                    model = pickle.loads(path.read_bytes()) if path.exists() else None
                    for number in range(len(columns["start"])):
                        row = {name: column[number] for name, column in columns.items()}
                        decision = float(model.decision_function([[row["mean"]]])[0]) if model else None
                        yield {
                            "device": device, "sensor": f"s{sensor}", "window_start": int(row["start"]), "value_count": int(row["count"]),
                            **{f"value_{name}": None if np.isnan(row[name]) else float(row[name]) for name in verdict.AGGREGATES}, "source_partition": partition,
                            "decision": decision, "is_anomaly": bool(model and decision < 0), "status": "scored" if model else "no_model", "model_set": "set-2",
                        }  # fmt: skip

    def problems(self, rows=None, late_less=0, refused_more=0, sets=None):
        rows = list(self.rows()) if rows is None else rows
        with tempfile.TemporaryDirectory() as got:
            got = Path(got)
            types = {"window_start": STAMP, "decision": pa.float64()} | {f"value_{name}": pa.float64() for name in verdict.AGGREGATES}
            self.write(got / "predictions", {name: pa.array([row[name] for row in rows], types.get(name)) for name in rows[0]})
            tallies = [self.plan.tally(partition, self.steps) for partition in range(2)]
            late = [(partition, number) for partition in range(2) for number in range(tallies[partition]["late"])][late_less:]
            self.write(got / "late", {"partition": pa.array([p for p, _ in late], pa.int32()), "position": [n for _, n in late], "index": pa.array([None] * len(late), pa.int32())})
            self.write(got / "quarantine", {"partition": [0, 1], "count": [tallies[0]["undecodable"] + refused_more, tallies[1]["undecodable"]]})
            found, self.figures = verdict.compare(got, got, self.plan, self.steps, self.wanted, self.folder / "models", sets or {"set-1": "a", "set-2": "b"})
            return found

    def write(self, folder, columns):
        path = folder / "date=2023-11-14" / "part.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table(columns), path)

    def test_all_is_well(self):
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.figures["rows"], self.figures["expected"])
        self.assertGreater(min(self.figures["compared"], self.figures["decisions"], self.figures["late"], self.figures["refused"]), 0)

    def test_a_row_lost_doubled_or_moved(self):
        rows = list(self.rows())
        count = rows[0]["value_count"]
        self.assertEqual(self.problems(rows[1:])[:2], ["1 rows are missing", f"{count} readings in rows are missing"])
        self.assertIn("1 rows occur again", self.problems([rows[0], *rows]))
        # One lost and another doubled: the number is right.
        self.assertIn("1 rows occur again", self.problems([rows[2], rows[2], *[row for row in rows if row is not rows[2]]][:-1]))
        self.assertEqual(len(self.problems([{**rows[0], "window_start": rows[0]["window_start"] - 20_000_000}, *rows[1:]])) > 1, True)

    def test_a_value_wrong(self):
        rows = list(self.rows())
        for name, other in {"value_count": 7, "value_sum": 1.0, "value_std": None, "value_first": 1.0, "decision": 0.5, "model_set": "set-1"}.items():
            with self.subTest(name):
                self.assertGreater(len(self.problems([{**rows[0], name: other}, *rows[1:]])), 0)

    def test_an_unknown_set(self):
        self.assertGreater(len(self.problems(sets={"set-1": "a"})), 0)

    def test_the_sides(self):
        self.assertEqual(len(self.problems(late_less=1)), 1)
        self.assertEqual(len(self.problems(refused_more=1)), 1)

    def test_a_ledger_that_does_not_balance(self):
        tally = self.plan.tally(0, self.steps)
        books = {name: tally[name] for name in ("records", "decoded", "undecodable", "tombstones", "readings", "late", "rejected")}
        books |= {"emitted": tally["counted"], "rows_in_files": tally["rows"], "late_in_files": tally["late"], "quarantined_in_files": tally["undecodable"]}
        for change, good in (({}, True), ({"emitted": tally["counted"] - 1}, False), ({"rows_in_files": tally["rows"] + 1}, False), ({"decoded": 1}, False)):
            found = judge.Verdict()
            judge.ledgers(found, {0: [{"seq": 1, "next": tally["records"], "ledger": books | change}]}, {0: tally})
            self.assertEqual(not found.problems, good, change)


if __name__ == "__main__":
    unittest.main()
