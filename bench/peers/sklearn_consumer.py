#!/usr/bin/env python3
"""Peer of the benchmark: what most teams write, scikit-learn's pipeline asked once for each window row. No guarantees.

Reading, windows and writing are those of the fast peer, so the difference between the two is the price of these calls.
"""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

import consumer


class Scorer:
    def __init__(self, models):
        self.pipelines = [pipeline(models, series) for series in range(models.count)]

    def __call__(self, series, features):
        rows = zip(series, features)
        return np.array([self.pipelines[number].decision_function(row.reshape(1, -1))[0] for number, row in rows])


def pipeline(models, series):
    """As if it had been fitted here: scikit-learn keeps what it learnt in attributes that end with an underscore."""
    width = models.mean.shape[1]
    scaler = StandardScaler()
    scaler.mean_, scaler.scale_ = models.mean[series], models.scale[series]
    scaler.var_ = scaler.scale_**2
    scaler.n_features_in_, scaler.n_samples_seen_ = width, 1

    vectors, coefficients = models.support_vectors[series], models.coefficients[series]
    svm = OneClassSVM(kernel="rbf", gamma=float(models.gamma[series]))
    svm._sparse, svm._gamma, svm.fit_status_ = False, svm.gamma, 0
    svm.n_features_in_, svm.shape_fit_, svm.class_weight_ = width, vectors.shape, np.empty(0)
    svm.support_ = np.arange(len(vectors), dtype=np.int32)
    svm.support_vectors_ = np.ascontiguousarray(vectors)
    svm._n_support = np.array([len(vectors)] * 2, dtype=np.int32)
    svm._probA = svm._probB = np.empty(0)
    svm.dual_coef_ = svm._dual_coef_ = np.ascontiguousarray(coefficients[None, :])
    svm.intercept_ = svm._intercept_ = np.array([models.intercept[series]])
    svm.offset_ = -svm.intercept_
    return Pipeline([("scale", scaler), ("svm", svm)])


if __name__ == "__main__":
    consumer.main(__doc__, Scorer)
