"""Spark and ClickHouse as engines of recipes, and what else has to hold of a dataset as a Delta table."""

from pathlib import Path

import readers
from cells import Cells, Sql

TABLE = "lake/predictions"


class Spark(Sql):
    """Its session is the one that the page's first block makes."""

    def __init__(self, azure):
        super().__init__(Cells(azure), lambda text: self.session.sql(text))

    @property
    def session(self):
        return self.cells.names["spark"]

    def types(self, dataset):
        return {field.name: (field.dataType.simpleString(), None) for field in self.session.table(dataset).schema.fields}

    def stop(self):
        if "spark" in self.cells.names:
            self.session.stop()


class ClickHouse(Sql):
    def __init__(self, azure):
        import chdb

        # One connection for all, since the library allows no second one.
        self.connection = chdb.connect()
        super().__init__(Cells(azure), self.ask)

    def ask(self, text):
        *before, last = [statement for statement in text.split(";") if statement.strip()]
        for statement in before:
            self.connection.query(statement)
        return self.connection.query(last, "DataFrame")

    def types(self, dataset):
        found = {}
        for name, kind in self.ask(f"describe {dataset}")[["name", "type"]].itertuples(index=False):
            plain = kind.removeprefix("Nullable(").removesuffix(")") if kind.startswith("Nullable(") else kind
            found[name] = (plain, "nullable" if plain != kind else None)
        return found


def check_types(verdicts, spark, clickhouse):
    readers.judge(verdicts, {"Spark": spark.types, "ClickHouse": clickhouse.types})


def check_delta(verdicts, names):
    """`names`: those of the page's own blocks, so what is tried here is the function that the page shows."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    data = sorted(Path(TABLE).glob("data/*/*.parquet"))
    total = rows()
    with verdicts.check("Delta: the dataset's folder holds the dataset, and nothing of the table"):
        assert sum(names["pq"].read_metadata(file).num_rows for file in data) == total
        assert {path.suffix for path in Path(TABLE, "data").rglob("*") if path.is_file()} == {".parquet"}
    with verdicts.check("Delta: of two that add a file at once one fails, and its rows are there once"):
        fresh = data[0].with_name(data[0].name.replace("files-", "fresh-"))
        fresh.write_bytes(data[0].read_bytes())
        failures = 0
        for table in [DeltaTable(TABLE), DeltaTable(TABLE)]:  # both have looked before either adds
            try:
                add(names, table, fresh)
            except DeltaError:
                failures += 1
        total += names["pq"].read_metadata(fresh).num_rows
        assert failures == 1 and rows() == total, f"{failures} of two failed, {rows()} rows instead of {total}"
    with verdicts.check("Delta: what `vacuum` took away is not added again when it comes back"):
        bytes_of = {file: file.read_bytes() for file in data}
        DeltaTable(TABLE).optimize.compact()  # of the day with two files one is made
        DeltaTable(TABLE).vacuum(0, dry_run=False, enforce_retention_duration=False)
        gone = [file for file in data if not file.exists()]
        assert gone, "nothing was taken away, so nothing is tried"
        for file in gone:
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(bytes_of[file])
        assert names["sync"](TABLE) == {"rows": total}, f"{rows()} rows instead of {total}"


def check_iceberg(verdicts, names):
    with verdicts.check("Iceberg: files that the table has are refused"):
        table = names["catalog"].load_table("atalaia.predictions")
        try:
            table.add_files(names["files"])
        except ValueError as error:
            assert "already referenced" in str(error), error
        else:
            raise AssertionError("they were added once more")
    with verdicts.check("Iceberg: days are partitions, and one is read by itself"):
        files = table.scan("window_start >= '2018-08-29T00:00:00+00:00'").plan_files()
        days = {Path(file.file.file_path).parent.name for file in files}
        assert days == {"date=2018-08-29"}, days


def add(names, table, file):
    once = names["CommitProperties"](app_transactions=[names["Transaction"](file.name, 1)])
    table.create_write_transaction([names["describe"](file, TABLE)], "append", table.schema(), ["date"], commit_properties=once)


def rows():
    from deltalake import DeltaTable

    return DeltaTable(TABLE).to_pyarrow_dataset().count_rows()
