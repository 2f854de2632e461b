"""Counts the rows of a dataset, and those that are there again, by DuckDB.

usage: unique.py PREDICTIONS_FOLDER          prints one JSON object; exit status 1 if a window has two rows
"""

import json
import sys

import duckdb


def main():
    folder = sys.argv[1]
    connection = duckdb.connect()
    connection.execute(f"create view rows as select * from read_parquet('{folder}/**/*.parquet', hive_partitioning = false)")
    rows, readings = connection.execute("select count(*), sum(value_count)::bigint from rows").fetchone()
    again = connection.execute("select device, sensor, window_start from rows group by all having count(*) > 1 order by all").fetchall()
    newest = connection.execute("select epoch_us(max(window_end)) from rows").fetchone()[0]
    print(json.dumps({"rows": rows, "readings": readings, "again": len(again), "newest_end": newest, "examples": [str(row) for row in again[:5]]}))
    sys.exit(1 if again else 0)


main()
