"""Those who run blocks of docs/recipes.md: Python like the cells of a notebook, SQL by its engine, and a container of Azurite with the same data.

A block of Python answers with its last expression. Spark and ClickHouse are in `lake`.
"""

import ast
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "services"))


class Cells:
    """Python blocks in one namespace, like the cells of a notebook."""

    def __init__(self, azure=None):
        self.names, self.azure = {"__name__": "recipes"}, azure

    def __call__(self, block):
        if "azure" in block.engines:
            self.names["options"] = self.azure.options("adlfs" if "adlfs" in block.engines else block.engines[0])
        tree = ast.parse(block.text)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        assert last, "a block of Python ends with its answer"
        exec(compile(tree, f"line {block.line}", "exec"), self.names)
        return eval(compile(ast.Expression(last.value), f"line {block.line}", "eval"), self.names)


class Sql:
    """An engine that is asked in its own language, and by Python as well."""

    def __init__(self, cells, query):
        self.cells, self.query = cells, query

    def __call__(self, block):
        return self.cells(block) if block.language == "python" else self.query(block.text)


def duckdb_engine(azure):
    import duckdb

    return Sql(Cells(azure), duckdb.connect().execute)


class Azure:
    """The same data, scored into a container of Azurite when the first block asks for it; and what each library wants to know."""

    def __init__(self, address, run):
        self.address, self.run, self.is_filled = address, run, False

    def options(self, library):
        from blobs import ACCOUNT, KEY

        if not self.is_filled:
            self.fill()
        host, url = self.address.removeprefix("http://"), f"{self.address}/{ACCOUNT}"
        connection = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={url};"
        http = {f"{service}_storage_{what}": value for service in ("blob", "dfs") for what, value in (("authority", host), ("scheme", "http"))}
        return {
            "polars": {"account_name": ACCOUNT, "account_key": KEY, "endpoint": url, "allow_http": "true"},
            "adlfs": {"connection_string": connection},
            "pyarrow": {"account_name": ACCOUNT, "account_key": KEY, **http},
            "clickhouse": connection,
        }[library]

    def fill(self):
        import blobs

        subprocess.run([sys.executable, blobs.__file__, "create", self.address, "scored"], check=True, stdout=subprocess.DEVNULL)
        for day in ("tuesday", "wednesday"):
            self.run(
                f"atalaia score -c recipes.toml --set pipeline={day} --set ingest.files.path={day}.csv --set sink.url=az://scored"
                f" --set storage.emulator=true --set storage.endpoint={self.address}"
            )
        self.is_filled = True
