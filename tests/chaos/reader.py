"""Someone who reads the predictions all the time, with pandas and DuckDB in turn, while faults are under way.

A read lists the whole dataset, copies what is new, and reads: everything while the files are few, later the newest ones, and
with them always the keys of all rows ever seen. Files never change (a few old ones are fetched again each time and compared),
so a row disappears exactly if its file does. Nothing but finished files under their final names may ever be listed.
"""

import json
import random
import time
from pathlib import Path

import duckdb
import pandas as pd

from store import FILE, Mirror, opened

WHOLE_FILES_MAX = 200
KEY = ["device", "sensor", "window_start"]


class Reader:
    def __init__(self, place, mirror, seed):
        self.store = opened(place)
        self.mirror = Mirror(self.store, mirror)
        self.random = random.Random(seed)
        self.seen, self.order = set(), []
        self.database = duckdb.connect()
        self.database.execute("set timezone = 'UTC'; set threads = 1")
        self.database.execute("create table seen (device varchar, sensor varchar, window_start timestamp with time zone, file varchar)")
        self.reads, self.whole, self.duplicates, self.rows, self.problems = 0, 0, 0, 0, []

    def read(self):
        names = self.store.names("predictions/")
        strange = [name for name in names if not FILE.match(name)]
        gone = self.seen - names
        new = sorted(names - self.seen - set(strange))
        self.note(strange, "are no finished files")
        self.note(gone, "have disappeared")
        self.mirror.fetch(new)
        self.order += new
        self.seen |= set(new)
        for name in self.random.sample(self.order, min(5, len(self.order))):
            if self.store.read(name) != (self.mirror.folder / name).read_bytes():
                self.note([name], "have changed")
        if not self.order:
            return
        # Keys of all rows ever seen stay here; of the files themselves the newest are read again and again, by one or the other.
        self.keep(new)
        files = self.order[-WHOLE_FILES_MAX:]
        self.whole += len(files) == len(self.order)
        paths = [str(self.mirror.folder / name) for name in files]
        now = (self.by_pandas if self.reads % 2 else self.by_duckdb)(paths)
        before = self.database.execute("select count(*) from seen where file in (select unnest(?))", [paths]).fetchall()[0][0]
        if now != before:
            self.problems.append(f"{now} rows in files that had {before}")
        found = self.database.execute(
            f"select count(*), coalesce(sum(n), 0), coalesce(sum(n - 1), 0) from (select count(*) n from seen group by {', '.join(KEY)})"
        ).fetchall()[0]
        self.rows = int(found[1])
        if found[2] > self.duplicates:
            self.duplicates = int(found[2])
        self.reads += 1

    def keep(self, new):
        if new:
            paths = [str(self.mirror.folder / name) for name in new]
            self.database.execute(f"insert into seen select {', '.join(KEY)}, filename from read_parquet(?, filename = true)", [paths])

    def by_duckdb(self, paths):
        everything = "select count(*), sum(hash(columns(*))) from read_parquet(?, hive_partitioning = false)"
        return self.database.execute(everything, [paths]).fetchall()[0][0]

    def by_pandas(self, paths):
        return len(pd.read_parquet(paths))

    def note(self, names, what):
        if names:
            self.problems.append(f"{len(names)} files {what}: {sorted(names)[:3]}")


def read_on(place, mirror, path, seed, stop, every_seconds):
    """Reads until told to stop, once more, and writes the figures as JSON."""
    reader = Reader(place, mirror, seed)
    seconds = []
    while True:
        stopped = stop.is_set()
        begun = time.monotonic()
        try:
            reader.read()
        except Exception as error:  # noqa: BLE001: whatever a reader meets is a finding
            reader.problems.append(f"{type(error).__name__}: {error}")
        seconds.append(time.monotonic() - begun)
        figures = {"reads": reader.reads, "of_the_whole": reader.whole, "files": len(reader.order), "rows": reader.rows}
        figures |= {"duplicates": reader.duplicates, "problems": reader.problems[:50], "longest_seconds": max(seconds)}
        Path(path).write_text(json.dumps(figures))
        if stopped:
            return
        # Reading takes at most two thirds of one core.
        stop.wait(max(every_seconds, seconds[-1] / 2))
