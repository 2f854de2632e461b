"""Compares predictions with the reference's golden ones: every row, every label, every decision.

usage: golden.py PREDICTIONS_FOLDER GOLDEN_CSV        prints one JSON object; exit status 1 if anything differs
"""

import json
import sys

import pandas as pd

from datasets import files, read_all


def compare(frame, golden):
    golden = golden.rename(columns={"Device": "device", "Tag": "sensor"}).copy()
    golden["device"], golden["sensor"] = golden["device"].astype(str), golden["sensor"].astype(str)
    golden["window_start"] = pd.to_datetime(golden["TS"], utc=True).astype("datetime64[us, UTC]")
    both = golden.merge(frame, on=["device", "sensor", "window_start"], how="outer", indicator=True)
    matched = both[both["_merge"] == "both"]
    return {
        "rows": len(frame),
        "anomalies": int(frame["prediction"].sum()),
        "missing": int((both["_merge"] == "left_only").sum()),
        "unexpected": int((both["_merge"] == "right_only").sum()),
        "labels_that_differ": int((matched["Prediction"] != matched["prediction"]).sum()),
        "flags_that_differ": int((matched["Prediction"].astype(bool) != matched["is_anomaly"]).sum()),
        "values_that_differ": int((matched["Value"] != matched["value_mean"]).sum()),
        "decisions_that_differ_in_a_bit": int((matched["Decision"] != matched["decision"]).sum()),
        "largest_difference": float((matched["Decision"] - matched["decision"]).abs().max()),
    }


def main():
    folder, golden = sys.argv[1:3]
    expected = pd.read_csv(golden)
    results = {name: compare(frame, expected) for name, frame in read_all(folder).items()}
    count = len(files(folder))
    good = all(
        r["rows"] == len(expected)
        and r["anomalies"] == int(expected["Prediction"].sum())
        # Decisions: 1e-12 of the terms' size, which is at least twice rho (0.025 and more in all fifteen models).
        and r["largest_difference"] <= 1e-12 * 0.05
        and not any(v for k, v in r.items() if k in ("missing", "unexpected", "labels_that_differ", "flags_that_differ", "values_that_differ"))
        for r in results.values()
    )
    print(json.dumps({"good": good, "files": count, "readers": results}))
    sys.exit(0 if good else 1)


main()
