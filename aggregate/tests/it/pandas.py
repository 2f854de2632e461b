"""Makes readings and what pandas aggregates from them: `python3 pandas.py` writes testdata/pandas.json in the crate's folder.

The committed file was made with pandas 3.1.1 (the file names its version)."""
import json
import pathlib
import random

import sys
sys.path.pop(0)                                          # this file is named like the library
import pandas  # noqa: E402

rng = random.Random(20)
START = 1_700_000_000_000_000
readings = []
for device, sensor, level, spread in [("pump", "temp", 50, 10), ("pump", "rpm", 3000, 0.01), ("fan", "temp", -1e-3, 1e-4),
                                      ("fan", "flat", 7.25, 0), ("fan", "wild", 0, 1e9)]:
    t = START
    for _ in range(160):
        t += rng.choice([1, 900_000, 7_000_000, 31_000_000, 31_000_000])
        if rng.random() < .02:
            t += 400_000_000
        readings.append([device, sensor, t, rng.gauss(level, spread)])
readings.sort(key=lambda r: r[2])

frame = pandas.DataFrame(readings, columns=["device", "sensor", "time", "value"])
frame["time"] = pandas.to_datetime(frame["time"], unit="us", utc=True)
aggregates = dict(count="count", sum="sum", mean="mean", std="std", std_pop=lambda x: x.std(ddof=0), min="min", max="max",
                  first="first", last="last")
rows = []
for (device, sensor), group in frame.groupby(["device", "sensor"]):
    table = group.set_index("time")["value"].resample("60s").agg(**aggregates)
    for start, row in table[table["count"] > 0].iterrows():
        row = {k: None if pandas.isna(v) else float(v) for k, v in row.items()}
        rows.append(dict(device=device, sensor=sensor, start=int(start.value) // 1000, **{**row, "count": int(row["count"])}))

out = pathlib.Path(__file__).parents[2] / "testdata" / "pandas.json"
lines = lambda items: "[\n" + ",\n".join(map(json.dumps, items)) + "\n]"
out.write_text(f'{{"pandas": "{pandas.__version__}", "window": 60000000,\n"readings": {lines(readings)},\n"rows": {lines(rows)}}}\n')
