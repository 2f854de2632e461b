"""A notebook, run cell by cell, and the service that serves its models:

  notebook.py run NOTEBOOK FOLDER                  runs its code in the folder
  notebook.py check NOTEBOOK FOLDER PREDICTIONS    the same, then compares each row with what the notebook's own models say of its own windows
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd


def run(notebook, folder):
    cells = json.loads(Path(notebook).read_text())["cells"]
    os.chdir(folder)
    names = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
    return names


def check(names, predictions):
    windows, features = names["windows"], names["FEATURES"]
    rows = pd.read_parquet(predictions).set_index(["device", "sensor", "window_start"]).sort_index()
    assert rows.index.is_unique and len(rows) == len(windows), (len(rows), len(windows))
    compared = 0
    for path in sorted(names["models"].glob("*.pkl")):
        pipeline = pd.read_pickle(path)
        _, device, sensor = path.stem.split("_")
        own, found = windows.loc[(device, sensor)], rows.loc[(device, sensor)]
        assert (own.index == found.index).all() and (found["status"] == "scored").all(), path
        decisions, size = pipeline.decision_function(own[features]), np.abs(pipeline[-1].dual_coef_).sum()
        # The windows' own figures agree to rounding; a sum in another order moves a decision by as much.
        assert np.abs(found["decision"] - decisions).max() <= 1e-8 * size, (path, np.abs(found["decision"] - decisions).max(), size)
        clear = np.abs(decisions) > 1e-8 * size
        assert ((found["prediction"] == 1) == (decisions <= 0))[clear].all(), path
        compared += len(found)
    assert compared == len(rows)
    print(f"notebook: {compared} rows are what its own models say, {int(rows['is_anomaly'].sum())} of them anomalies")


action, notebook, folder, *rest = sys.argv[1:]
names = run(notebook, folder)
if action == "check":
    check(names, rest[0])
