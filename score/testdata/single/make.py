#!/usr/bin/env python3
"""Writes models that were trained on single-precision rows (and one that was not) next to this one, with what the installed
scikit-learn says of double-precision rows. Run once for each version; each adds its files to `expected.json`."""

import json
import pickle
from pathlib import Path

import numpy as np
import sklearn
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import OneClassSVM

FOLDER = Path(__file__).parent
VERSION = sklearn.__version__
random = np.random.default_rng(32)
CHAINS = {
    "scalers": ([StandardScaler(), MinMaxScaler(clip=True), RobustScaler(), MaxAbsScaler()], np.float32),
    "pca": ([PCA(n_components=2)], np.float32),
    "whitened": ([PCA(n_components=3, whiten=True)], np.float32),
    "scaled-whitened": ([StandardScaler(), PCA(n_components=3, whiten=True)], np.float32),
    "robust-pca": ([RobustScaler(), PCA()], np.float32),
    "double-whitened": ([PCA(n_components=3, whiten=True)], np.float64),
}


def main():
    path = FOLDER / "expected.json"
    files = json.loads(path.read_text())["files"] if path.exists() else []
    files = [file for file in files if file["sklearn"] != VERSION]
    spread = random.normal(size=(4, 4))
    rows = random.normal(size=(60, 4)) @ spread + [900.0, -30.0, 4.0, 0.1]
    inputs = np.vstack([rows[:6], random.normal(size=(6, 4)) @ spread + [900.1, -30.0, 4.0, 0.0]])
    for name, (steps, precision) in CHAINS.items():
        model = make_pipeline(*steps, OneClassSVM(nu=0.2, gamma=0.3)).fit(rows.astype(precision))
        svm = model[-1]
        vectors = model[:-1].transform(inputs)
        kernels = np.exp(-svm._gamma * ((vectors[:, None] - svm.support_vectors_) ** 2).sum(axis=2))
        magnitude = kernels @ np.abs(svm.dual_coef_[0]) + abs(svm.intercept_[0])
        file = f"{VERSION}-{name}.pkl"
        (FOLDER / file).write_bytes(pickle.dumps(model, protocol=4))
        # Since 1.5 sums of single-precision products are a part of it.
        is_refused = "pca" in name + str(steps).lower() and precision == np.float32 and VERSION >= "1.5"
        files.append({
            "file": file, "sklearn": VERSION, "verdict": "must_refuse" if is_refused else "must_read", "format": "pickle",
            "n_support": svm.dual_coef_.shape[1], "n_features": 4, "kernel": "rbf", "feature_names": None, "fragile_rows": [],
            "tolerance": 1e-12, "inputs": inputs.tolist(), "decision_function": model.decision_function(inputs).tolist(),
            "magnitude": magnitude.tolist(), "predict": model.predict(inputs).tolist(),
        })
    lines = ",\n".join(json.dumps(file) for file in files)
    path.write_text('{"files": [\n' + lines + "\n]}\n")


main()
