"""Rows that a dataset has lost: those that were counted again and are not there, in a Parquet file of their own.

usage: missing_rows.py PREDICTIONS COUNTED_AGAIN OUT.parquet

PREDICTIONS is the dataset that lost files, COUNTED_AGAIN what `atalaia score` made of the same records under another
pipeline id; both are folders, or what else DuckDB can read (`az://…`, `s3://…` with its extensions). Readers read OUT
beside the dataset; it must not lie in it. Needs DuckDB: pip install duckdb.
"""

import os
import sys

import duckdb


def main():
    kept, again, out = sys.argv[1:]
    os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
    connection = duckdb.connect()
    connection.execute(
        f"""copy (
            select again.* from read_parquet('{again}/**/*.parquet', hive_partitioning = false) again
            where not exists (
                select 1 from read_parquet('{kept}/**/*.parquet', hive_partitioning = false) kept
                where kept.device = again.device and kept.sensor is not distinct from again.sensor
                  and kept.window_start = again.window_start)
            order by device, sensor, window_start
        ) to '{out}' (format parquet, compression zstd)"""
    )
    rows, first, last = connection.execute(
        f"select count(*), min(window_start)::varchar, max(window_end)::varchar from read_parquet('{out}')"
    ).fetchone()
    print(f"{out}: {rows} rows were missing, of windows from {first} to {last}")


main()
