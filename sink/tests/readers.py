"""Reads the three datasets with pandas, Polars and DuckDB; exits with an error unless all see the same rows and types.

usage: readers.py FOLDER SCHEMA   (SCHEMA: {"dataset": [["column", "kind"], ...]})
"""

import json
import sys

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds

ARROW = {
    "string": pa.string(), "int32": pa.int32(), "int64": pa.int64(), "double": pa.float64(), "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"), "map<string,double>": pa.map_(pa.string(), pa.float64()),
}
DUCKDB = {
    "string": "VARCHAR", "int32": "INTEGER", "int64": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP WITH TIME ZONE", "map<string,double>": "MAP(VARCHAR, DOUBLE)",
}
POLARS = {
    "string": pl.String, "int32": pl.Int32, "int64": pl.Int64, "double": pl.Float64, "boolean": pl.Boolean,
    "timestamp": pl.Datetime("us", "UTC"),
    "map<string,double>": pl.Map(pl.String, pl.Float64),
}
PANDAS = {
    "string": "str", "int32": "int32", "int64": "int64", "double": "float64", "boolean": "bool",
    "timestamp": "datetime64[us, UTC]",
}


def check(what, found, want):
    if found != want:
        sys.exit(f"{what}: found {found}, expected {want}")


def main(folder, schema):
    for dataset, columns in schema.items():
        path = f"{folder}/{dataset}"
        names = [name for name, _ in columns]

        arrow = ds.dataset(path, partitioning="hive")
        check(f"{dataset}: columns in Arrow", arrow.schema.names, names + ["date"])
        for name, kind in columns:
            found = arrow.schema.field(name).type
            if not found.equals(ARROW[kind]):
                sys.exit(f"{dataset}.{name}: {found} in Arrow, expected {ARROW[kind]}")

        frame = pd.read_parquet(path)
        for name, kind in columns:
            # pandas has no null in integers and booleans of its own, and turns such columns into others.
            if kind in PANDAS and not frame[name].isna().any():
                check(f"{dataset}.{name} in pandas", str(frame[name].dtype), PANDAS[kind])

        polars = pl.read_parquet(f"{path}/**/*.parquet")
        for name, kind in columns:
            check(f"{dataset}.{name} in Polars", polars.schema[name], POLARS[kind])

        relation = duckdb.sql(f"from read_parquet('{path}/**/*.parquet', hive_partitioning = true)")
        types = dict(zip(relation.columns, map(str, relation.types)))
        for name, kind in columns:
            check(f"{dataset}.{name} in DuckDB", types[name], DUCKDB[kind])

        rows = relation.aggregate("count(*)").fetchall()[0][0]
        check(f"{dataset}: rows", [len(frame), polars.height, arrow.count_rows()], [rows] * 3)
        print(f"{dataset}: {rows} rows, {len(names)} columns, alike in pandas {pd.__version__}, "
              f"Polars {pl.__version__} and DuckDB {duckdb.__version__}")

    predictions = f"{folder}/predictions"
    total = duckdb.sql(f"select sum(value_sum), count(*) filter (is_anomaly), count(distinct (device, sensor)) "
                       f"from '{predictions}/**/*.parquet'").fetchall()[0]
    frame = pd.read_parquet(predictions)
    check("sums", [frame.value_sum.sum(), frame.is_anomaly.sum()], list(total[:2]))
    check("anomalies have prediction 1", set(frame[frame.is_anomaly].prediction), {1})
    check("rows without a score have no prediction", frame[frame.status != "scored"].prediction.isna().all(), True)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
