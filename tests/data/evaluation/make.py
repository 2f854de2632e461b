"""Labels, scores and verdicts, and what scikit-learn and numpy say of them: `figures.json`, which a test compares with.

Run with scikit-learn 1.7 or later: python make.py > figures.json
"""

import json

import numpy as np
from sklearn import metrics


def case(name, rng, count, share, spread, ties, unscored):
    label = (rng.random(count) < share).astype(int)
    score = label * 1.0 + spread * rng.normal(size=count)
    if ties:
        score = np.round(score)
    alarm = (score > 0.7).astype(int)
    has_score = rng.random(count) >= unscored
    alarm[~has_score] = 0
    tn, fp, fn, tp = metrics.confusion_matrix(label, alarm, labels=[0, 1]).ravel()
    y, s = label[has_score], score[has_score]
    precision, recall, thresholds = metrics.precision_recall_curve(y, s)
    # Its order is from the lowest threshold on, with a last point that no threshold gives.
    curve = [[float(t), float(p), float(r)] for t, p, r in zip(thresholds, precision, recall)][::-1]
    # It stops at full recall's lowest thresholds only where nothing below adds a positive.
    rises = np.flatnonzero(np.diff(np.concatenate([[0], alarm])) == 1)
    return {
        "name": name,
        "label": label.tolist(),
        "score": [float(v) if ok else None for v, ok in zip(score, has_score)],
        "alarm": alarm.tolist(),
        "tp": int(tp), "fp": int(fp), "fn": int(fn), "tn": int(tn),
        "precision": float(metrics.precision_score(label, alarm)),
        "recall": float(metrics.recall_score(label, alarm)),
        "f1": float(metrics.f1_score(label, alarm)),
        "far": float(fp / (fp + tn)),
        "mar": float(fn / (fn + tp)),
        "auc": float(metrics.roc_auc_score(y, s)),
        "average_precision": float(metrics.average_precision_score(y, s)),
        "curve": curve,
        "episodes": int((label[rises] == 0).sum()),
        "coverage": float(has_score.mean()),
    }


def delays(rng, count):
    values = np.sort(rng.integers(0, 10_000_000, size=count))
    return {
        "delays": values.tolist(),
        "median": float(np.median(values)),
        "p90": float(np.percentile(values, 90)),
    }


rng = np.random.default_rng(20260101)
print(json.dumps({
    "cases": [
        case("clear", rng, 60, 0.5, 0.3, False, 0.0),
        case("blurred", rng, 80, 0.2, 0.8, False, 0.0),
        case("ties", rng, 80, 0.4, 0.8, True, 0.0),
        case("unscored", rng, 80, 0.4, 0.8, True, 0.2),
    ],
    "delays": [delays(rng, n) for n in (1, 2, 5, 10, 13)],
}))
