"""Compares what was written with what must have been written: rows, late readings, quarantine, scores, and the sums of it all.

`expected` is the oracle's folder, `got` a copy of the datasets. Relative errors of aggregates are measured against the values'
size: a deviation is a difference of values and keeps their error.
"""

import pickle
from collections import Counter
from pathlib import Path

import duckdb
import numpy as np

import logs

AGGREGATES = ("sum", "mean", "std", "min", "max", "first", "last", "delta")
AGGREGATE_ERROR_MAX, SCORE_ERROR_MAX = 1e-9, 1e-6
KEY = "device, sensor, window_start"


class Verdict:
    """Problems in words, and the four figures that must be 0."""

    def __init__(self):
        self.problems, self.figures = [], Counter()

    def find(self, number, what, figure="wrong"):
        if number:
            self.problems.append(f"{number} {what}")
            self.figures[figure] += int(number)


def connect():
    database = duckdb.connect()
    database.execute("set timezone = 'UTC'; set threads = 2")
    return database


def view(database, name, pattern, schema):
    """The dataset as a table; an absent one is an empty one."""
    if list(Path("/").glob(str(pattern).lstrip("/"))):
        database.execute(f"create table {name} as select * from read_parquet('{pattern}', hive_partitioning = false, filename = true)")
    else:
        database.execute(f"create table {name} ({schema}, filename varchar)")


def predictions(database, verdict, journaled):
    again = database.execute(f"select count(*), coalesce(sum(n - 1), 0) from (select count(*) n from got group by {KEY} having n > 1)").fetchall()[0]
    verdict.find(again[1], f"rows too many, for {again[0]} windows", "duplicates")
    misplaced = "select count(*) from got where split_part(filename, '/', -2) <> 'date=' || strftime(window_start, '%Y-%m-%d')"
    verdict.find(database.execute(misplaced).fetchall()[0][0], "rows in the folder of another date")
    database.execute(f"""
        create table one as select * from got qualify row_number() over (partition by {KEY} order by filename) = 1;
        create table pairs as select coalesce(g.device, w.device) device, coalesce(g.sensor, w.sensor) sensor,
            g.device is null missing, w.device is null unexpected, g.* exclude (device, sensor), w.* exclude (device, sensor)
        from one g full outer join want w on g.device = w.device and g.sensor = w.sensor and epoch_us(g.window_start) = w.start;
    """)
    missing, unexpected = database.execute("select count_if(missing), count_if(unexpected) from pairs").fetchall()[0]
    verdict.find(missing, "rows are missing", "lost")
    verdict.find(unexpected, "rows are unexpected")
    scale = "greatest(abs(w_max), abs(w_min))"
    checks = {"value_count": "value_count <> w_count", "source_partition": "source_partition <> w_partition",
              "window_end": "epoch_us(window_end) <> start + (select any_value(width) from rules)"}
    if journaled:
        checks["closed_by"] = "closed_by <> w_closed_by"
    for name in AGGREGATES:
        size = f"greatest(abs(w_{name}), {scale})"
        checks[f"value_{name}"] = f"(value_{name} is null) <> (w_{name} is null) or abs(value_{name} - w_{name}) > {AGGREGATE_ERROR_MAX} * {size}"
    for name, condition in checks.items():
        found = f"select count(*) from pairs where not missing and not unexpected and ({condition})"
        verdict.find(database.execute(found).fetchall()[0][0], f"rows with another {name}")


def scores(database, verdict, models):
    """scikit-learn's own word on every row."""
    bare = "select count(*) from pairs where not missing and (status <> 'no_model' or decision is not null or is_anomaly) and not {}"
    known = {path.name.removeprefix("model_") for path in Path(models).iterdir()}
    names = "(device || '_' || sensor in (select unnest(?)))"
    verdict.find(database.execute(bare.format(names), [sorted(known)]).fetchall()[0][0], "rows scored without a model")
    # By the means that were written: those were compared already, and a borderline case must not look wrong here.
    rows = database.execute(
        f"select device || '_' || sensor series, value_mean, decision, is_anomaly, status, prediction from pairs where not missing and {names} order by series",
        [sorted(known)],
    ).fetchnumpy()
    series, bounds = np.unique(rows["series"].astype(str), return_index=True)
    anomalies = 0
    for name, begin, end in zip(series, bounds, [*bounds[1:], len(rows["series"])]):
        model = pickle.loads((Path(models) / f"model_{name}").read_bytes())
        right = model.decision_function(np.asarray(rows["value_mean"][begin:end], float).reshape(-1, 1))
        got = np.ma.filled(np.ma.asarray(rows["decision"][begin:end], float), np.nan)
        verdict.find(int((~(np.abs(got - right) <= SCORE_ERROR_MAX)).sum()), f"decisions of {name} differ")
        sure = np.abs(right) > SCORE_ERROR_MAX
        verdict.find(int(((right < 0) != rows["is_anomaly"][begin:end])[sure].sum()), f"verdicts of {name} differ")
        verdict.find(int((rows["status"][begin:end].astype(str) != "scored").sum()), f"rows of {name} are not scored")
        anomalies += int((right < 0).sum())
    return {"scored": len(rows["series"]), "anomalies": anomalies}


def late(database, verdict, journaled):
    keys = "partition, position, index"
    again = f"select coalesce(sum(n - 1), 0) from (select count(*) n from got_late group by {keys} having n > 1)"
    verdict.find(database.execute(again).fetchall()[0][0], "late readings too many", "duplicates")
    database.execute(f"""
        create table late_pairs as select g.device is null missing, w.device is null unexpected,
            g.device <> w.device or g.sensor <> w.sensor or epoch_us(g.event_time) <> w.t or g.value <> w.value or
            g.late_by <> w.closed_to - w.t differs, g.closed_by <> w.closed_by otherwise
        from (select distinct on ({keys}) * from got_late) g full outer join want_late w using ({keys})
    """)
    missing, unexpected, differ, otherwise = database.execute(
        "select count_if(missing), count_if(unexpected), count_if(differs), count_if(otherwise) from late_pairs").fetchall()[0]
    verdict.find(missing, "late readings are missing", "lost")
    verdict.find(unexpected, "late readings are unexpected")
    verdict.find(differ, "late readings with other contents")
    verdict.find(otherwise if journaled else 0, "late readings with another cause")


def quarantine(database, verdict):
    runs = "partition, first_position, last_position, index, reason"
    again = f"select coalesce(sum(n), 0) from (select sum(count) - any_value(count) n from got_quarantine group by {runs} having count(*) > 1)"
    verdict.find(database.execute(again).fetchall()[0][0], "refused items too many", "duplicates")
    database.execute(f"""
        create table refused as
            select partition, case when reason in ('future', 'too_old') then reason else 'undecodable' end reason, sum(count)::bigint n
            from (select distinct on ({runs}) * from got_quarantine) group by all;
        create table to_refuse as select partition, reason, count(*) n from want_refused group by all;
    """)
    for partition, reason, have, want in database.execute("""
        select coalesce(g.partition, w.partition), coalesce(g.reason, w.reason), coalesce(g.n, 0), coalesce(w.n, 0)
        from refused g full outer join to_refuse w using (partition, reason) where coalesce(g.n, 0) <> coalesce(w.n, 0)""").fetchall():
        what = f"items refused as {reason} in partition {partition}: {have} instead of {want}"
        # Too many: read again after a crash, they may have come in runs with other ends.
        verdict.find(abs(have - want), what, "lost" if have < want else "duplicates")
    ends = """select count(*) from (select partition, unnest([first_position, last_position]) position from got_quarantine)
        anti join want_refused using (partition, position)"""
    verdict.find(database.execute(ends).fetchall()[0][0], "runs of refused items begin or end where nothing is to refuse")


def ledgers(verdict, chains, tallies):
    """The accounts in the logs: each must balance, and the newest must say what the topic says."""
    for partition, chain in chains.items():
        tally, position = tallies[int(partition)], 0
        for header in chain:
            ledger = Counter(header.get("ledger") or {})
            sums = {
                "records": ledger["decoded"] + ledger["undecodable"] + ledger["tombstones"] + ledger["left_records"],
                "readings": sum(ledger[name] for name in ("open", "pending", "emitted", "late", "rejected", "left")),
            }
            for name, total in sums.items():
                verdict.find(abs(ledger[name] - total), f"{name} unaccounted for in record {header.get('seq')} of the log of partition {partition}")
            verdict.find(max(position - header["next"], 0), f"positions back in record {header.get('seq')} of the log of partition {partition}")
            position = header["next"]
        refused = tally["undecodable"] + tally["rejected"]
        want = {name: tally[name] for name in ("records", "decoded", "undecodable", "tombstones", "readings", "late", "rejected")} | {
            "open": 0, "pending": 0, "emitted": tally["counted"], "rows_in_files": tally["rows"], "late_in_files": tally["late"],
            "quarantined_in_files": refused}  # fmt: skip
        for name, number in want.items():
            if chain and ledger[name] != number:
                verdict.find(abs(ledger[name] - number), f"ledger of partition {partition}: {name} is {ledger[name]} instead of {number}")
        if position != tally["records"]:
            verdict.find(abs(tally["records"] - position), f"log of partition {partition} ends at {position} of {tally['records']}", "lost")


def files(verdict, got, recorded):
    """Every file belongs to a record of a chain, and is as long as that says; and the other way round."""
    found = {path.relative_to(got).as_posix(): path.stat().st_size for path in Path(got).rglob("*.parquet")}
    verdict.find(len(recorded.keys() - found.keys()), "files of commit records were never published", "lost")
    verdict.find(len(found.keys() - recorded.keys()), "files belong to no commit record")
    verdict.find(sum(found[name] != recorded[name] for name in found.keys() & recorded.keys()), "files are not as long as their records say")


def conservation(database, verdict, tallies):
    """Every reading is in a row, or late, or refused: added up from what was written, against what is in the topic."""
    total = Counter()
    for tally in tallies.values():
        total.update({k: v for k, v in tally.items() if isinstance(v, int)})
    rows, late_ones, refused = database.execute("""
        select (select coalesce(sum(value_count), 0) from one), (select count(*) from late_pairs where not missing),
               (select coalesce(sum(n), 0) from refused)""").fetchall()[0]
    gap = total["readings"] + total["undecodable"] - rows - late_ones - refused
    verdict.find(abs(gap), "readings unaccounted for" if gap > 0 else "readings more than were sent", "lost" if gap > 0 else "duplicates")
    kinds = total["decoded"] + total["undecodable"] + total["tombstones"]
    verdict.find(abs(total["records"] - kinds), "records are of no kind")
    return total


def compare(expected, got, models, tallies, window, chains, never_late):
    """Everything; a `Verdict` and the figures for the report."""
    verdict, database, journaled = Verdict(), connect(), bool(chains)
    stamp = "timestamp with time zone"
    view(database, "got", f"{got}/predictions/*/*.parquet", f"device varchar, sensor varchar, window_start {stamp}, window_end {stamp}, "
         "source_partition int, value_count bigint, closed_by varchar, status varchar, decision double, is_anomaly boolean, prediction int, "
         + ", ".join(f"value_{name} double" for name in AGGREGATES))
    view(database, "got_late", f"{got}/late/*/*.parquet", f"device varchar, sensor varchar, event_time {stamp}, value double, late_by bigint, "
         "closed_by varchar, partition int, position bigint, index int")
    view(database, "got_quarantine", f"{got}/quarantine/*/*.parquet",
         "reason varchar, first_position bigint, last_position bigint, index int, count bigint, partition int")
    renamed = ", ".join(f"{name} as w_{name}" for name in ("partition", "count", "closed_by", *AGGREGATES))
    database.execute(f"""
        create table rules as select {window}::bigint width;
        create table want as select device, sensor, start, {renamed} from read_parquet('{expected}/rows-*.parquet');
        create table want_late as select * from read_parquet('{expected}/late-*.parquet');
        create table want_refused as select partition, position, case when reason in ('future', 'too_old') then reason else 'undecodable' end reason
            from read_parquet('{expected}/refused-*.parquet');
    """)
    predictions(database, verdict, journaled)
    scored = scores(database, verdict, models)
    late(database, verdict, journaled)
    quarantine(database, verdict)
    if journaled:
        ledgers(verdict, chains, tallies)
        files(verdict, got, logs.files(chains))
    total = conservation(database, verdict, tallies)
    of_habits = Counter()
    for tally in tallies.values():
        of_habits.update(tally["late_by_habit"])
    in_order = database.execute("select split_part(device, '-', 1), count(*) from got_late group by all").fetchall()
    verdict.find(sum(n for habit, n in in_order if habit in never_late), "readings of devices that send in order were written as late", "late_in_order")
    verdict.find(sum(of_habits[habit] for habit in never_late), "readings of devices that send in order are late by the rules", "late_in_order")
    rows = database.execute("select count(*) from got").fetchall()[0][0]
    return verdict, {"rows": rows, **scored, "expected": dict(total), "late_by_habit": dict(of_habits)}
