#!/usr/bin/env python3
"""Writes files of many models next to this one, with what scikit-learn says of some rows: by tuples, by texts, by devices, by numpy's texts and numbers."""

import json
import pickle
from collections import OrderedDict
from pathlib import Path

import joblib
import numpy as np
import sklearn
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC, OneClassSVM

FOLDER = Path(__file__).parent
random = np.random.default_rng(20)


def model(scaler):
    rows = random.normal(20, 3, size=(40, 1))
    return make_pipeline(scaler, OneClassSVM(nu=0.1, gamma=0.5)).fit(rows)


def main():
    rows = [[18.0], [20.5], [31.0]]
    models = [model(StandardScaler()), model(MinMaxScaler()), OneClassSVM(nu=0.2, gamma=0.1).fit(random.normal(size=(30, 1)))]
    keys = {
        "tuples.pkl": [("pump-1", "temp"), ("pump-1", 7), (np.str_("pumpe ä"), np.int64(-3))],
        "texts.joblib.z": ["pump-1/temp", "pump-1/7", "model_pumpe ä_-3"],
    }
    wanted = [["pump-1", "temp"], ["pump-1", "7"], ["pumpe ä", "-3"]]
    (FOLDER / "tuples.pkl").write_bytes(pickle.dumps(OrderedDict(zip(keys["tuples.pkl"], models))))
    joblib.dump(dict(zip(keys["texts.joblib.z"], models)), FOLDER / "texts.joblib.z", compress=3)
    (FOLDER / "devices.pkl").write_bytes(pickle.dumps(dict(zip(["pump-1", "model_pump-2", 7], models))))
    classifier = SVC().fit([[0.0], [1.0]], [0, 1])
    unusable = make_pipeline(StandardScaler(), OneClassSVM())
    (FOLDER / "not-fitted.pkl").write_bytes(pickle.dumps({"a/b": models[0], "c/d": unusable}))
    (FOLDER / "classifier.pkl").write_bytes(pickle.dumps({"a/b": models[0], "c/d": classifier}))
    expected = [{"key": key, "rows": rows, "decision_function": found.decision_function(rows).tolist()} for key, found in zip(wanted, models)]
    (FOLDER / "expected.json").write_text(json.dumps({"sklearn": sklearn.__version__, "models": expected}, ensure_ascii=False, indent=1) + "\n")


main()
