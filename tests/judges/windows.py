"""Recomputes the windows of the reference's CSV file with pandas alone and compares every row and aggregate.

usage: windows.py PREDICTIONS_FOLDER SENSOR_DATA_CSV WINDOW      (WINDOW as pandas writes it: 1h, 5s)
Prints one JSON object; exit status 1 if anything differs.
"""

import json
import sys

import numpy as np
import pandas as pd

from datasets import read_all

AGGREGATES = ["count", "sum", "mean", "std", "min", "max", "first", "last"]


def expected(csv, width):
    data = pd.read_csv(csv, dtype={"Device": str, "Tag": str})
    data["TS"] = pd.to_datetime(data["TS"], utc=True)
    series = data.set_index("TS").groupby(["Device", "Tag"])["Value"]
    rows = series.resample(width).agg(AGGREGATES)
    rows = rows[rows["count"] > 0].reset_index()
    rows = rows.rename(columns={"Device": "device", "Tag": "sensor", "TS": "window_start", **{a: f"value_{a}" for a in AGGREGATES}})
    before = rows.groupby(["device", "sensor"])
    adjacent = before["window_start"].diff() == pd.Timedelta(width)
    rows["value_delta"] = before["value_mean"].diff().where(adjacent)
    rows["window_start"] = rows["window_start"].astype("datetime64[us, UTC]")
    return rows.sort_values(["device", "sensor", "window_start"]).reset_index(drop=True)


def main():
    folder, csv, width = sys.argv[1:4]
    right = expected(csv, width)
    problems, rows = [], {}
    for reader, frame in read_all(folder).items():
        rows[reader] = len(frame)
        if frame.duplicated(["device", "sensor", "window_start"]).any():
            problems.append(f"{reader}: a window occurs twice")
        keys = ["device", "sensor", "window_start"]
        if not frame[keys].equals(right[keys]):
            problems.append(f"{reader}: other windows than expected ({len(frame)} rows, {len(right)} expected)")
            continue
        for column in [f"value_{a}" for a in AGGREGATES] + ["value_delta"]:
            got, want = frame[column].astype(float).to_numpy(), right[column].astype(float).to_numpy()
            # Relative to the values' size: a deviation is a difference of values and keeps their error.
            scale = np.maximum(np.abs(want), right["value_max"].abs().to_numpy())
            bad = ~((np.abs(got - want) <= 1e-12 * scale) | (np.isnan(got) & np.isnan(want)))
            if bad.any():
                problems.append(f"{reader}: {column} differs in {int(bad.sum())} rows")
    print(json.dumps({"good": not problems, "rows": rows, "expected": len(right), "problems": problems}))
    sys.exit(1 if problems else 0)


main()
