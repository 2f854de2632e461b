"""Write scikit-learn's one-class SVMs as a model set of a registry, with pyarrow alone.

In a notebook:

    from write_model_set import publish
    publish("models/registry", {("pump-7", "temperature"): pipeline, ...}, features=["mean"], note="first try")

A key is (device, sensor); a sensor of None is a model of the whole device, a device of None a default. The registry is a local or
mounted folder: only there can Python create the pointer so that it never replaces another's. For a registry in a store, write the
Parquet file anywhere and let `atalaia models publish --from FILE --to az://models/registry/` do the rest.

Run as a program, it trains three models and publishes them:  write_model_set.py REGISTRY
"""

import hashlib
import json
import os
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import OneClassSVM

NUMBERS = pa.list_(pa.float64())
SCHEMA = pa.schema(
    [
        ("device", pa.string()),
        ("sensor", pa.string()),
        ("features", pa.list_(pa.string())),
        ("kernel", pa.string()),
        ("gamma", pa.float64()),
        ("coef0", pa.float64()),
        ("degree", pa.int64()),
        ("steps", pa.list_(pa.struct([("step", pa.string()), ("numbers", NUMBERS)]))),
        ("support_vectors", NUMBERS),
        ("coefficients", NUMBERS),
        ("intercept", pa.float64()),
        ("trained_at", pa.timestamp("us", "UTC")),
    ],
    metadata={"atalaia.models.version": "1"},
)


def steps(transformer):
    """What a transformer does to a row, in scikit-learn's own order of operations: merged steps would round differently."""
    if isinstance(transformer, StandardScaler):
        if transformer.with_mean:
            yield "subtract", transformer.mean_
        if transformer.with_std:
            yield "divide", transformer.scale_
    elif isinstance(transformer, MinMaxScaler):
        yield "multiply", transformer.scale_
        yield "add", transformer.min_
        if transformer.clip:
            yield "clip", np.array(transformer.feature_range, dtype=float)
    elif isinstance(transformer, PCA):
        yield "project", transformer.components_
        yield "subtract", transformer.mean_ @ transformer.components_.T
        if transformer.whiten:
            yield "divide", np.sqrt(transformer.explained_variance_)
    else:
        raise TypeError(f"no steps are known for {type(transformer).__name__}")


def row(key, model, features):
    """One model as a row of the set."""
    chain = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    svm = chain[-1]
    if not isinstance(svm, OneClassSVM):
        raise TypeError(f"the model of {key} ends in {type(svm).__name__}, not in OneClassSVM")
    done_before = [step for transformer in chain[:-1] for step in steps(transformer)]
    has = {"rbf": {"gamma"}, "linear": set(), "poly": {"gamma", "coef0", "degree"}, "sigmoid": {"gamma", "coef0"}}[svm.kernel]
    device, sensor = key
    return {
        "device": device,
        "sensor": sensor,
        "features": features,
        "kernel": svm.kernel,
        # What "scale" and "auto" came to.
        "gamma": float(svm._gamma) if "gamma" in has else None,
        "coef0": float(svm.coef0) if "coef0" in has else None,
        "degree": int(svm.degree) if "degree" in has else None,
        "steps": [{"step": name, "numbers": np.ravel(numbers).tolist()} for name, numbers in done_before],
        "support_vectors": svm.support_vectors_.ravel().tolist(),
        "coefficients": svm.dual_coef_.ravel().tolist(),
        "intercept": float(svm.intercept_[0]),
        "trained_at": datetime.now(timezone.utc),
    }


def publish(registry, models, features=None, note="", models_per_file=20_000):
    """Writes the models as a new set and puts it to use; returns the set's id. `features` None: those of the service's configuration."""
    now = datetime.now(timezone.utc)
    rows = [row(key, model, features) for key, model in models.items()]
    registry = Path(registry)
    (registry / "sets").mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=now.strftime("%Y%m%dT%H%M%SZ-"), dir=registry / "sets"))
    folder.chmod(0o755)

    # First the files, then the manifest that names them with their hashes, then the pointer: whoever dies on the way changes nothing.
    files = []
    for first in range(0, len(rows), models_per_file):
        path = folder / f"models-{len(files):05}.parquet"
        pq.write_table(pa.Table.from_pylist(rows[first : first + models_per_file], SCHEMA), path, compression="zstd")
        content = path.read_bytes()
        files.append({"name": path.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    manifest = {"schema_version": 1, "files": files, "models": len(rows), "created_at": now.isoformat(), "note": note}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2))

    pointer = {"set": folder.name, "note": note, "at": now.isoformat(), "by": os.environ.get("USER")}
    current = registry / "current"
    current.mkdir(exist_ok=True)
    while True:
        number = 1 + max((int(path.name) for path in current.iterdir() if path.name.isdigit()), default=0)
        beside = folder / "pointer.json"
        beside.write_text(json.dumps(pointer, indent=2))
        try:
            # A link shows the whole content at once, and fails if somebody else took the number.
            os.link(beside, current / f"{number:020}")
            return folder.name
        except FileExistsError:
            continue
        finally:
            beside.unlink()


if __name__ == "__main__":
    history = np.random.default_rng(7).normal(50, 4, (200, 1))
    trained = {
        (device, "temperature"): make_pipeline(StandardScaler(), OneClassSVM(nu=0.05, gamma=0.1)).fit(history + shift)
        for device, shift in [("pump-1", 0), ("pump-2", 10), ("pump-3", -5)]
    }
    print(publish(sys.argv[1], trained, features=["mean"], note="from a notebook"))
