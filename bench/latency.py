"""How long rows took to be there:  latency.py CLOSED.csv OUT     prints `rows | p50 | p99 | worst` in seconds

CLOSED.csv says of each device's window when the record was sent that closed it; a file of OUT is there since its ctime.
Rows of windows that were closed otherwise (by silence, in the end) are left out.
"""

import os
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

closed, out = sys.argv[1:]
closed = pd.read_csv(closed).set_index(["device", "start"])["sent"]
found = []
for path in sorted(Path(out, "predictions").rglob("*.parquet")):
    rows = pq.ParquetFile(path).read(["device", "window_start"]).to_pandas()
    rows["start"] = rows["window_start"].astype("datetime64[us, UTC]").astype("int64")
    sent = rows.join(closed, on=["device", "start"])["sent"].dropna()
    found.append(os.stat(path).st_ctime_ns / 1e9 - sent / 1e6)
found = pd.concat(found) if found else pd.Series(dtype=float)
if found.empty:
    sys.exit("no row was there")
print(f"{len(found)} | {found.quantile(0.5):.2f} | {found.quantile(0.99):.2f} | {found.max():.2f}")
