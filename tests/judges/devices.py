"""Models of whole devices, from the notebook to the row:

  devices.py make FOLDER               a history, its readings as CSV, and pipelines that scikit-learn trained on its windows
  devices.py check FOLDER PREDICTIONS  recomputes every row with pandas and the same pipelines
"""

import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

WINDOW = "60s"
COLUMNS = ["temp_mean", "temp_std_pop", "flow_mean", "flow_max"]


def history():
    """Three devices of two sensors, a reading each ten seconds; the flow of `b` is silent now and then."""
    rng, rows = np.random.default_rng(5), []
    times = pd.date_range("2026-03-01", periods=150 * 6, freq="10s", tz="UTC")
    for number, device in enumerate("abc"):
        swing = np.sin(np.arange(len(times)) / 40 + number)
        for sensor, level in (("temp", 20 + 3 * swing), ("flow", 5 - 2 * swing)):
            values = level + rng.normal(0, 0.3, len(times))
            values[600:612] += 4.0
            keep = np.ones(len(times), bool)
            if (device, sensor) == ("b", "flow"):
                keep[300:330] = False
            rows.append(pd.DataFrame({"time": times[keep], "device": device, "sensor": sensor, "value": values[keep].round(3)}))
    return pd.concat(rows).sort_values(["time", "device", "sensor"], kind="stable")


def windows(readings):
    """One row a device and window, a column a feature; NaN where a sensor was silent."""
    grouped = readings.groupby(["device", "sensor", pd.Grouper(key="time", freq=WINDOW)])["value"]
    table = grouped.agg(mean="mean", std_pop=lambda values: values.std(ddof=0), max="max", count="count").dropna(subset="mean")
    table = table.unstack("sensor")
    table.columns = [f"{sensor}_{statistic}" for statistic, sensor in table.columns]
    return table


def make(folder):
    readings = history()
    readings.to_csv(folder / "readings.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ")
    (folder / "models").mkdir()
    table = windows(readings)
    pipelines = {
        "a": make_pipeline(StandardScaler(), PCA(whiten=True), OneClassSVM(nu=0.1, gamma=0.2)),
        "b": make_pipeline(StandardScaler(), OneClassSVM(nu=0.05, gamma=0.1)),
    }
    for device, pipeline in pipelines.items():
        pipeline.fit(table.loc[device][COLUMNS].dropna())
        with (folder / "models" / f"model_{device}.pkl").open("wb") as file:
            pickle.dump(pipeline, file, protocol=4)


def check(folder, predictions):
    readings = pd.read_csv(folder / "readings.csv", parse_dates=["time"])
    expected = windows(readings)
    found = pd.read_parquet(predictions).set_index(["device", "window_start"]).sort_index()
    assert found.index.is_unique and len(found) == len(expected), (len(found), len(expected))
    pipelines = {path.stem.removeprefix("model_"): pickle.loads(path.read_bytes()) for path in (folder / "models").glob("*.pkl")}
    assert found["sensor"].isna().all() and found["value_mean"].isna().all()
    assert found["value_count"].sum() == len(readings), "every reading is in a row"
    counts, anomalies = {}, 0
    for (device, start), row in found.iterrows():
        features = dict(row["features"])
        wanted = expected.loc[(device, start)]
        counts[row["status"]] = counts.get(row["status"], 0) + 1
        if device == "c":
            assert row["status"] == "no_model" and pd.isna(row["decision"])
            for name in ("temp.mean", "flow.max"):
                assert np.isclose(features[name], wanted[name.replace(".", "_")], rtol=1e-12)
            continue
        given = wanted[COLUMNS]
        assert [name.replace(".", "_", 1) for name in features] == COLUMNS
        assert np.allclose([np.nan if value is None else value for value in features.values()], given, rtol=1e-9, atol=1e-12, equal_nan=True)
        if given.isna().any():
            assert row["status"] == "missing_feature" and not row["is_anomaly"], (device, start)
            continue
        # With what the row says it was given: the notebook's own scores.
        frame = pd.DataFrame([list(features.values())], columns=COLUMNS)
        decision = pipelines[device].decision_function(frame)[0]
        size = np.abs(pipelines[device][-1].dual_coef_).sum()
        assert abs(row["decision"] - decision) <= 1e-12 * size, (device, start, row["decision"], decision)
        assert row["is_anomaly"] == (pipelines[device].predict(frame)[0] < 0) or abs(decision) <= 1e-12 * size
        assert (row["top_feature"] is not None) <= row["is_anomaly"]
        assert row["model_key"] == device
        anomalies += row["is_anomaly"]
    assert counts["scored"] > 200 and counts["missing_feature"] >= 4 and counts["no_model"] == 150, counts
    print(f"devices: {len(found)} rows ({counts}), {anomalies} anomalies: as pandas and scikit-learn have them")


if __name__ == "__main__":
    make(Path(sys.argv[2])) if sys.argv[1] == "make" else check(Path(sys.argv[2]), sys.argv[3])
