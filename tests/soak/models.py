"""Two sets of one-class SVMs for the first devices of the first partitions, made by scikit-learn:  models.py FOLDER PLAN DEVICES

The sets `a` and `b` differ in every model, so that a row's decision tells by which of them it was judged.
"""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
from sklearn.svm import OneClassSVM

from plan import Plan

SETS = {"a": 0.3, "b": 0.5}


def chosen(plan, devices):
    """(partition, number in it) of the devices with models: so many of each partition, in turns."""
    return [(number % plan.partitions, number // plan.partitions) for number in range(min(devices, plan.devices))]


def make(folder, plan, devices):
    for name, gamma in SETS.items():
        (folder / name).mkdir(parents=True)
        for number, (partition, at) in enumerate(chosen(plan, devices)):
            for sensor in range(plan.sensors):
                random = np.random.default_rng(1000 * number + sensor)
                # Means of some hundred readings are much narrower than the readings.
                model = OneClassSVM(kernel="rbf", gamma=gamma, nu=0.1).fit(random.normal(50, 0.5, (60, 1)))
                (folder / name / f"model_{plan.named(partition, at)}_s{sensor}").write_bytes(pickle.dumps(model))


if __name__ == "__main__":
    make(Path(sys.argv[1]), Plan(**json.loads(sys.argv[2])), int(sys.argv[3]))
