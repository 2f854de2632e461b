"""What readers see of each column: the tables of docs/output.md, held against the libraries. Spark and ClickHouse are asked by `lake`."""

import re

from recipes import ROOT

DATASETS = ("predictions", "late", "quarantine", "runs")


def pages():
    """({dataset: {column: (type, may it be null)}}, {reader: {type: what it shows}}) as docs/output.md has them."""
    text = (ROOT / "docs" / "output.md").read_text()
    sections = {}
    for title, body in re.findall(r"^## (.*?)$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL):
        tables = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines() if line.startswith("|")]
        sections[title.strip("`")] = tables
    datasets = {name: {row[0].strip("`"): (row[1], row[2] == "yes") for row in sections[name][2:]} for name in DATASETS}
    head, _, *rows = sections["Reading"]
    seen = {reader: {row[0]: row[column].strip("`") for row in rows} for column, reader in enumerate(head) if column}
    return datasets, seen


def check(verdicts, out):
    readers = {"pandas": pandas, "Polars": polars, "pyarrow": pyarrow, "DuckDB": duckdb}
    judge(verdicts, {name: lambda dataset, ask=ask: ask(out / dataset) for name, ask in readers.items()})


def judge(verdicts, readers):
    """`readers`: name -> function from dataset to {column: (type, may hold nulls or None)}."""
    datasets, seen = pages()
    for reader, ask in readers.items():
        with verdicts.check(f"docs/output.md: types in {reader}"):
            for dataset, columns in datasets.items():
                found = ask(dataset)
                expected = [*columns, "date"]
                assert list(found) == expected, f"{dataset}: columns {list(found)}"
                for column in expected:
                    kind, nullable = columns.get(column, ("folder", False))
                    compare(f"{dataset}.{column}", found[column], seen[reader][kind], nullable)


def compare(what, found, expected, nullable):
    shown, holds_nulls = found
    if holds_nulls == "float instead":
        expected = "float64"
    elif holds_nulls == "nullable":
        assert nullable, f"{what} is nullable, and should not be"
    assert shown == expected, f"{what} is `{shown}`, the page says `{expected}`"


def pandas(folder):
    import pandas

    frame = pandas.read_parquet(folder)
    whole = {column for column in frame if "int" in str(frame[column].dtype)}
    floats = {column for column in frame if frame[column].isna().any() and column in ("prediction", "index", "value_count")}
    return {column: (str(frame[column].dtype), "float instead" if column in floats - whole else None) for column in frame}


def polars(folder):
    import polars

    schema = polars.scan_parquet(folder).collect_schema()
    return {name: (str(kind).replace("time_unit=", "").replace("time_zone=", ""), None) for name, kind in schema.items()}


def pyarrow(folder):
    import pyarrow.dataset

    schema = pyarrow.dataset.dataset(folder, partitioning="hive").schema
    # A reader of the files alone: whether a column may be null is in them.
    own = lambda field: field.name != "date" and field.nullable  # noqa: E731
    return {field.name: (re.sub(r" \('.*?'\)", "", str(field.type)), "nullable" if own(field) else None) for field in schema}


def duckdb(folder):
    import duckdb

    described = duckdb.sql(f"describe from '{folder}/*/*.parquet'").fetchall()
    return {name: (kind, None) for name, kind, *_ in described}
