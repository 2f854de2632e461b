"""Makes small one-class SVMs for a fleet with today's scikit-learn:  models.py FOLDER DEVICES SENSORS

Every third device gets none, so that rows without a model occur too.
"""

import pickle
import sys
from pathlib import Path

import numpy as np
from sklearn.svm import OneClassSVM

folder, devices, sensors = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
folder.mkdir(parents=True, exist_ok=True)
for device in range(devices):
    for sensor in range(sensors):
        if device % 3 == 2:
            continue
        random = np.random.default_rng(1000 * device + sensor)
        model = OneClassSVM(kernel="rbf", gamma=0.05, nu=0.1).fit(random.normal(50, 4, (40, 1)))
        with open(folder / f"model_d{device}_s{sensor}", "wb") as file:
            pickle.dump(model, file)
print("made")
