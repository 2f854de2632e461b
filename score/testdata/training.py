#!/usr/bin/env python3
"""What scikit-learn makes of rows that the Rust test makes again by itself: decisions of one-class SVMs at a tolerance of 1e-9.

  scripts/services run --python -- python score/testdata/training.py [--large] > score/testdata/training.json

Rows are sums of twelve numbers of SplitMix64, so that both languages have them to the bit without a file of them.
"""

import json
import sys

import numpy as np
import sklearn
from sklearn.svm import OneClassSVM

MASK = (1 << 64) - 1


def uniform(state):
    state = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return state, ((z ^ (z >> 31)) >> 11) / (1 << 53)


def numbers(seed, count):
    out = np.empty(count)
    for at in range(count):
        total = 0.0
        for _ in range(12):
            seed, u = uniform(seed)
            total += u
        out[at] = total - 6.0
    return out


def main():
    large = "--large" in sys.argv
    cases = []
    for width in (1, 8):
        for rows in (50, 200, 1000) + ((5000,) if large else ()):
            for nu in (0.01, 0.05, 0.1, 0.5):
                seed = 1000 * rows + 10 * width
                x = numbers(seed, rows * width).reshape(rows, width)
                probes = 2.0 * numbers(seed + 1, 16 * width).reshape(16, width)
                gamma = 0.1 / width
                model = OneClassSVM(nu=nu, gamma=gamma, tol=1e-9).fit(x)
                decisions = model.decision_function(np.concatenate([x[:16], probes]))
                cases.append({
                    "width": width, "rows": rows, "nu": nu, "gamma": gamma, "seed": seed,
                    "rho": -float(model.intercept_[0]), "decisions": decisions.tolist(),
                })
    lines = ",\n".join(json.dumps(case) for case in cases)
    print(f'{{"scikit-learn": "{sklearn.__version__}", "cases": [\n{lines}\n]}}')


main()
