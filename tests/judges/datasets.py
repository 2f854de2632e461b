"""Reads a dataset folder with three independent readers and brings each to one canonical pandas frame."""

import os
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl


def files(folder):
    return [str(p) for p in sorted(Path(folder).rglob("*.parquet"))]


def read_all(folder):
    """{reader's name: frame}; the frames of all readers must agree, and their types be what the manual says."""
    folder = str(folder)
    pattern = os.path.join(folder, "**", "*.parquet")
    frames = {
        "pandas": pd.read_parquet(folder),
        "polars": pl.read_parquet(pattern, hive_partitioning=False).to_pandas(),
        "duckdb": _duckdb(pattern),
    }
    return {name: canonical(frame) for name, frame in frames.items()}


def _duckdb(pattern):
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    return connection.execute(f"select * from read_parquet('{pattern}', hive_partitioning = false)").df()


def canonical(frame):
    frame = frame.drop(columns=["date"], errors="ignore")
    for name in ("window_start", "window_end", "event_time", "broker_time"):
        if name in frame:
            frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    keys = [k for k in ("device", "sensor", "window_start", "position", "index") if k in frame]
    return frame.sort_values(keys).reset_index(drop=True) if keys else frame
