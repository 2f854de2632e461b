"""Whether explanations of devices name the sensor that is at fault: of each anomalous window that touches one fault, what the row
and `atalaia explain` say comes first, held against the truth of the simulated fleet.

explained.py ATALAIA FOLDER: FOLDER has predictions/, models/, truth.csv. Prints one object.
"""

import csv
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

atalaia, folder = sys.argv[1], Path(sys.argv[2])
with (folder / "truth.csv").open() as file:
    faults = [{**row, "start": pd.Timestamp(row["start"]), "end": pd.Timestamp(row["end"])} for row in csv.DictReader(file)]
rows = pd.read_parquet(folder / "predictions")
rows = rows[rows["is_anomaly"]]


def sensor_at_fault(row):
    """None unless it is exactly one."""
    touching = {f["sensor"] for f in faults if f["device"] == row.device and f["start"] < row.window_end and row.window_start < f["end"]}
    return touching.pop() if len(touching) == 1 else None


def explained(row):
    command = [atalaia, "explain", "--predictions", folder / "predictions", "--models", folder / "models", "--device", row.device]
    window = row.window_start.strftime("%Y-%m-%dT%H:%M:%SZ")
    said = json.loads(subprocess.run([*command, "--window", window, "--format", "json"], check=True, capture_output=True).stdout)
    assert said["model"]["scored_the_row"] and len(said["sensors"]) == 5, said
    return said["sensors"][0]["sensor"]


judged = [(row, fault) for row in rows.itertuples() if (fault := sensor_at_fault(row))]
with ThreadPoolExecutor(2) as pool:
    named = list(pool.map(lambda pair: explained(pair[0]), judged))
# Where only the windows before made the verdict, a row names none.
have_feature = sum(isinstance(row.top_feature, str) for row, _ in judged)
by_feature = sum(str(row.top_feature).split(".")[0] == fault for row, fault in judged)
by_sensor = sum(name == fault for name, (_, fault) in zip(named, judged))
print(json.dumps({"windows": len(judged), "have_feature": have_feature, "by_feature": by_feature, "by_sensor": by_sensor}))
