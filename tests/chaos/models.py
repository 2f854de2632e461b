"""One-class SVMs for a share of the fleet, made by scikit-learn:  models.py FOLDER SEED DEVICES SENSORS MODELS

The series without one get the status `no_model`, and must get a row all the same.
"""

import pickle
import sys
from pathlib import Path

import numpy as np
from sklearn.svm import OneClassSVM

from fleet import Fleet

folder, (seed, devices, sensors, models) = Path(sys.argv[1]), map(int, sys.argv[2:])
folder.mkdir(parents=True)
for number, device in enumerate(Fleet(seed, 0, devices, sensors, 1).devices[: models // sensors]):
    for sensor in range(sensors):
        random = np.random.default_rng(1000 * number + sensor)
        # Means of about ten readings: narrower than the readings themselves.
        model = OneClassSVM(kernel="rbf", gamma=0.3, nu=0.1).fit(random.normal(50, 1.3, (40, 1)))
        (folder / f"model_{device.name}_s{sensor}").write_bytes(pickle.dumps(model))
