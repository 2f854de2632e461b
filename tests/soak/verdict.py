"""Compares what was written with the plan: all rows by number and by window, each key once, whole series value by value.

`got` is a folder with the datasets. Nothing of Atalaia is used; DuckDB reads, the plan's formulas know, scikit-learn judges.
"""

import pickle

import duckdb
import numpy as np

from plan import KINDS

AGGREGATES = ("sum", "mean", "std", "min", "max", "first", "last")
ERROR_MAX, SCORE_ERROR_MAX = 1e-9, 1e-6
HOUR_US = 3_600_000_000


def connect(folder):
    database = duckdb.connect()
    (folder / "spill").mkdir(exist_ok=True)
    database.execute(f"set timezone = 'UTC'; set threads = 2; set memory_limit = '4GB'; set temp_directory = '{folder / 'spill'}'")
    return database


def read(database, got, dataset):
    """The dataset as a view; an absent one is none."""
    if next((got / dataset).rglob("*.parquet"), None) is None:
        return False
    database.execute(f"create or replace view {dataset} as select * from read_parquet('{got}/{dataset}/**/*.parquet', hive_partitioning = false)")
    return True


def one(database, query):
    return database.execute(query).fetchone()


def rows(database, plan, steps, problems):
    """By habit and window: how many rows, of how many readings. And no key twice."""
    found = database.execute("""select left(device, 4), epoch_us(window_start), count(*), sum(value_count)::bigint, count(distinct source_partition)
        from predictions group by all""").fetchall()
    found = {(kind, start): (number, counted) for kind, start, number, counted, _ in found}
    devices = dict.fromkeys(KINDS, 0)
    for partition in range(plan.partitions):
        for kind, number in plan.kinds(partition).items():
            devices[kind] += number
    want = {}
    for kind, number in devices.items():
        for start, counted in plan.windows(kind, steps).items() if number else ():
            want[kind, start] = (number * plan.sensors, number * plan.sensors * counted)
    for what, at in (("rows", 0), ("readings in rows", 1)):
        less = sum(max(numbers[at] - found.get(key, (0, 0))[at], 0) for key, numbers in want.items())
        more = sum(max(numbers[at] - want.get(key, (0, 0))[at], 0) for key, numbers in found.items())
        if less:
            problems.append(f"{less} {what} are missing")
        if more:
            problems.append(f"{more} {what} too many")
    first, last = one(database, "select min(epoch_us(window_start)), max(epoch_us(window_start)) from predictions")
    again = 0
    for begin in range(first, last + 1, HOUR_US):
        again += one(database, f"""select count(*) - count(distinct (device, sensor, window_start)) from predictions
            where epoch_us(window_start) >= {begin} and epoch_us(window_start) < {begin + HOUR_US}""")[0]  # fmt: skip
    if again:
        problems.append(f"{again} rows occur again")
    return {"rows": sum(number for number, _ in found.values()), "expected": sum(number for number, _ in want.values()), "windows": len({start for _, start in want})}


def sides(database, got, tallies, problems):
    late = {}
    if read(database, got, "late"):
        late = dict(database.execute("select partition, count(*) from late group by all").fetchall())
        if again := one(database, "select count(*) - count(distinct (partition, position, index)) from late")[0]:
            problems.append(f"{again} late readings occur again")
    refused = {}
    if read(database, got, "quarantine"):
        refused = dict(database.execute("select partition, sum(count)::bigint from quarantine group by all").fetchall())
    for name, found, key in (("late readings", late, "late"), ("refused records", refused, "undecodable")):
        for partition, tally in tallies.items():
            if found.get(partition, 0) != tally[key]:
                problems.append(f"{name} of partition {partition}: {found.get(partition, 0)} instead of {tally[key]}")
    return {"late": sum(late.values()), "refused": sum(refused.values())}


def series(database, plan, steps, wanted, models, sets, problems):
    """Whole series, value by value, and their decisions by the set that each row names."""
    compared = decided = 0
    for partition, at in wanted:
        device = plan.named(partition, at)
        found = database.execute(f"""select sensor, epoch_us(window_start) start, value_count count, {", ".join(f"value_{name} as {name}" for name in AGGREGATES)},
            decision, is_anomaly, status, model_set from predictions where device = ? order by sensor, start""", [device]).fetchnumpy()  # fmt: skip
        found = {name: np.ma.filled(column, np.nan) if column.dtype.kind == "f" else np.asarray(column) for name, column in found.items()}
        for sensor in range(plan.sensors):
            want = plan.rows_of(partition, at, sensor, steps)
            here = found["sensor"].astype(str) == f"s{sensor}"
            got = {name: column[here] for name, column in found.items()}
            name = f"{device}/s{sensor}"
            if not np.array_equal(got["start"], want["start"]) or not np.array_equal(got["count"], want["count"]):
                problems.append(f"{name}: {len(got['start'])} rows, or their counts, instead of {len(want['start'])}")
                continue
            compared += len(want["start"])
            for what in AGGREGATES:
                near = np.abs(got[what] - want[what]) <= ERROR_MAX * np.maximum(1, np.abs(want[what]))
                if wrong := int((~(near | np.isnan(got[what]) & np.isnan(want[what]))).sum()):
                    problems.append(f"{name}: value_{what} differs in {wrong} rows")
            decided += decisions(name, f"model_{device}_s{sensor}", got, models, sets, problems)
    return {"compared": compared, "decisions": decided}


def decisions(name, file, got, models, sets, problems):
    if models is None or not (models / "a" / file).exists():
        if wrong := int((got["status"].astype(str) != "no_model").sum()):
            problems.append(f"{name}: {wrong} rows are judged without a model")
        return 0
    means = got["mean"].astype(float).reshape(-1, 1)
    named = got["model_set"].astype(str)
    for number in np.unique(named):
        if number not in sets:
            problems.append(f"{name}: rows are judged by the unknown set {number}")
            continue
        here = named == number
        right = pickle.loads((models / sets[number] / file).read_bytes()).decision_function(means[here])
        if wrong := int((~(np.abs(got["decision"][here].astype(float) - right) <= SCORE_ERROR_MAX)).sum()):
            problems.append(f"{name}: {wrong} decisions are not those of set {number}")
    return len(named)


def compare(got, folder, plan, steps, wanted, models, sets):
    """(problems, figures): everything there is to compare."""
    problems, database = [], connect(folder)
    tallies = {partition: plan.tally(partition, steps) for partition in range(plan.partitions)}
    if not read(database, got, "predictions"):
        return ["there are no rows"], {}
    figures = rows(database, plan, steps, problems)
    figures |= sides(database, got, tallies, problems)
    figures |= series(database, plan, steps, wanted, models, sets, problems)
    figures["sets_seen"] = one(database, "select count(distinct model_set) from predictions where status = 'scored'")[0]
    figures["readings"] = sum(tally["readings"] for tally in tallies.values())
    figures["records"] = sum(tally["records"] for tally in tallies.values())
    return problems, figures
