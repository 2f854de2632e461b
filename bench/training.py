"""Seconds per 1,000 pipelines of StandardScaler and OneClassSVM, by joblib on all cores: ROWS FEATURES MODELS."""

import os
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
from joblib import Parallel, delayed
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM


def fit(x):
    return make_pipeline(StandardScaler(), OneClassSVM(nu=0.05, gamma=0.1 / x.shape[1], tol=1e-9)).fit(x)


rows, features, models = map(int, sys.argv[1:])
random = np.random.default_rng(1)
histories = [random.normal(size=(rows, features)) for _ in range(models)]
parallel = Parallel(n_jobs=-1)
parallel(delayed(fit)(x) for x in histories[:20])
begun = time.perf_counter()
parallel(delayed(fit)(x) for x in histories)
print((time.perf_counter() - begun) * 1000 / models)
