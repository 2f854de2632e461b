"""What the recipes must answer: from the reference's own files, by plain Python. Nothing here reads what Atalaia wrote.

Severity is ln(rho) - ln(decision + rho), with rho = -intercept from models.json (docs/models.md).
"""

import csv
import hashlib
import json
import math
from collections import Counter, defaultdict
from pathlib import Path

REFERENCE = Path(__file__).resolve().parents[2] / "data" / "reference"
DAYS = ("2018-08-28", "2018-08-29")
PIPELINES = ("tuesday", "wednesday")
# The readings that docs/recipes.md adds to the files: one on each day comes when its window is long closed.
LATE = {("2018-08-28", "1"), ("2018-08-29", "3")}
REFUSED = ("bad_value", "missing_field")


def golden():
    rho = {(str(model["device"]), str(model["tag"])): -intercept(model) for model in json.loads((REFERENCE / "models.json").read_text())}
    with (REFERENCE / "golden_predictions.csv").open() as file:
        for row in csv.DictReader(file):
            device, tag, decision = row["Device"], row["Tag"], float(row["Decision"])
            severity = math.log(rho[device, tag]) - math.log(decision + rho[device, tag])
            yield row["TS"], device, tag, row["Value"], int(row["Prediction"]), severity


def intercept(model):
    found = [step["attributes"]["intercept_"] for step in model["steps"] if "intercept_" in step["attributes"]]
    (value,) = found
    return value[0] if isinstance(value, list) else value


def answers():
    rows = list(golden())
    windows = Counter((row[0][:10], row[1]) for row in rows)
    anomalies = Counter((row[0][:10], row[1]) for row in rows if row[4])
    total = {"windows": len(rows), "anomalies": sum(row[4] for row in rows)}
    tuesdays = sum(row[4] for row in rows if row[0].startswith(DAYS[0]))
    return {
        "totals": [total],
        "newest": newest(rows),
        "worst": worst(windows, anomalies),
        "by_day": [{"date": d, "device": v, "windows": windows[d, v], "anomalies": anomalies[d, v]} for d, v in sorted(windows)],
        "hourly": hourly(row for row in rows if row[1] == "1"),
        "with_late": [{"date": d, "device": v, "windows": windows[d, v], "late": int((d, v) in LATE)} for d, v in sorted(windows)],
        "refused": [{"pipeline": pipeline, "reason": reason, "items": 1} for pipeline in PIPELINES for reason in REFUSED],
        "audit": [{"is_told": True, "wrong": 0}],
        "versions": versions(rows),
        "first_look": [{"alarms": tuesdays}],
        "second_look": [{"alarms": total["anomalies"]}],
        "reference_csv": [{"TS": t, "Device": d, "Tag": s, "Val": str(float(v)), "Prediction": str(p)} for t, d, s, v, p, _ in sorted(rows)],
        "trained": [{"value": f"model_{device}_{tag}.pkl"} for device, tag in sorted({row[1:3] for row in rows})],
        "again": again(rows),
        "delta_first": [{"rows": sum(windows[day, device] for day, device in windows if day == DAYS[0])}],
        "delta_second": [{"rows": len(rows)}],
    }


def newest(rows):
    """Windows are as wide as readings lie apart, and begin with one."""
    found = sorted((row for row in rows if row[4]), key=lambda row: (row[0], -int(row[1]), -int(row[2])), reverse=True)[:5]
    return [{"window_start": t[:19], "device": d, "sensor": s, "severity": severity} for t, d, s, *_, severity in found]


def worst(windows, anomalies):
    of_day = [(anomalies[key], key[1], 100 * anomalies[key] / windows[key]) for key in windows if key[0] == DAYS[1]]
    return [{"device": device, "anomalies": count, "percent": round(share, 1)} for count, device, share in sorted(of_day, reverse=True)[:2]]


def hourly(rows):
    hours = defaultdict(list)
    for time, *_, prediction, severity in rows:
        hours[f"{time[:13]}:00:00"].append((severity, prediction))
    return [
        {"hour": hour, "severity": math.fsum(s for s, _ in found) / len(found), "anomalies": sum(p for _, p in found)}
        for hour, found in sorted(hours.items())
    ]


def versions(rows):
    counts = Counter(row[1:3] for row in rows)
    digest = lambda key: hashlib.sha256((REFERENCE / "models" / f"model_{key[0]}_{key[1]}").read_bytes()).hexdigest()[:12]  # noqa: E731
    return [{"model_key": "/".join(key), "version": digest(key), "windows": count} for key, count in sorted(counts.items())]


def again(rows):
    """scikit-learn trained and asked by itself, on the readings of the file."""
    import numpy
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import OneClassSVM

    values = defaultdict(list)
    for time, device, tag, value, *_ in sorted(rows):
        values[time[:10], device, tag].append(float(value))
    windows, anomalies = Counter(), Counter()
    for day, device, tag in values:
        if day == DAYS[1]:
            column = lambda day: numpy.array(values[day, device, tag]).reshape(-1, 1)  # noqa: B023, E731
            model = make_pipeline(StandardScaler(), OneClassSVM(nu=0.01, gamma=0.1)).fit(column(DAYS[0]))
            windows[device] += len(column(DAYS[1]))
            anomalies[device] += int((model.predict(column(DAYS[1])) == -1).sum())
    return [{"device": device, "windows": windows[device], "anomalies": anomalies[device]} for device in sorted(windows)]


if __name__ == "__main__":
    for name, found in answers().items():
        print(name, len(found), *found[:8], sep="\n  ")
