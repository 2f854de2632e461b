"""A set that a notebook writes scores as scikit-learn does.

model_set.py make REGISTRY READINGS.csv     trains models of all kinds, publishes them by the example, makes readings
model_set.py check PREDICTIONS              holds every decision against scikit-learn's, from the row's own numbers
"""

import csv
import sys
import zlib
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import OneClassSVM

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
from write_model_set import publish  # noqa: E402

FEATURES = ["mean", "min", "max"]
WINDOWS, READINGS = 200, 3


def models():
    """The same at each call: both halves of the judgement make them."""
    kinds = {
        "rbf": make_pipeline(StandardScaler(), OneClassSVM(nu=0.1, gamma=0.3)),
        "rbf-bare": OneClassSVM(nu=0.2, gamma="scale"),
        "linear": make_pipeline(StandardScaler(with_mean=False), OneClassSVM(kernel="linear", nu=0.1)),
        "poly": make_pipeline(MinMaxScaler(clip=True), OneClassSVM(kernel="poly", degree=3, gamma=0.5, coef0=1.0, nu=0.1)),
        "sigmoid": make_pipeline(StandardScaler(with_std=False), OneClassSVM(kernel="sigmoid", gamma=0.01, coef0=-0.1, nu=0.1)),
        "whitened": make_pipeline(StandardScaler(), PCA(2, whiten=True), OneClassSVM(nu=0.05, gamma=0.2)),
        "projected": make_pipeline(MinMaxScaler(), PCA(2), OneClassSVM(nu=0.05, gamma=2.0)),
    }
    fitted = {}
    for kind, model in kinds.items():
        random = np.random.default_rng(zlib.crc32(kind.encode()))
        readings = random.normal(50, 4, (300, READINGS))
        rows = np.column_stack([readings.mean(axis=1), readings.min(axis=1), readings.max(axis=1)])
        fitted[kind, "s"] = model.fit(rows)
    fitted[None, "default"] = fitted["rbf", "s"]
    return fitted


def make(registry, path):
    print(publish(registry, models(), features=FEATURES, note="a test", models_per_file=3))
    random = np.random.default_rng(11)
    start = datetime(2026, 1, 5, tzinfo=timezone.utc)
    keys = [(device, sensor) for device, sensor in models() if device] + [("nobody", "default"), ("nobody", "s")]
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["device", "sensor", "ts", "value"])
        for window in range(WINDOWS):
            for device, sensor in keys:
                for reading in range(READINGS):
                    time = start + timedelta(hours=window, minutes=15 * reading)
                    out.writerow([device, sensor, time.isoformat(), repr(float(random.normal(50, 6)))])


def check(predictions):
    rows = ds.dataset(predictions, format="parquet", partitioning="hive").to_table().to_pylist()
    fitted, largest, unscored = models(), 0.0, 0
    assert len(rows) == WINDOWS * (len(fitted) + 1), len(rows)
    for row in rows:
        model = fitted.get((row["device"], row["sensor"])) or fitted.get((None, row["sensor"]))
        if model is None:
            assert (row["status"], row["device"]) == ("no_model", "nobody"), row
            unscored += 1
            continue
        x = np.array([[row["value_mean"], row["value_min"], row["value_max"]]])
        decision = model.decision_function(x)[0]
        svm = model[-1] if hasattr(model, "steps") else model
        # Rounding is relative to the two numbers whose sum the decision is.
        size = abs(decision - svm.intercept_[0]) + abs(svm.intercept_[0])
        error = abs(row["decision"] - decision) / size
        largest = max(largest, error)
        assert error < 1e-12, (row, decision)
        assert row["is_anomaly"] == (model.predict(x)[0] == -1), (row, decision)
    assert unscored == WINDOWS, unscored
    anomalies = sum(row["is_anomaly"] for row in rows)
    assert 0 < anomalies < len(rows) - unscored, anomalies
    print(f"{len(rows) - unscored} decisions agree within {largest:.1e} of their terms, {anomalies} anomalies")


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](*sys.argv[2:])
