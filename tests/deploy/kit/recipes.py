"""The blocks of docs/recipes.md, run as their tags say, and their answers held against those of recipes_expected.py.

A block's first word is its language, the second who runs it (several for SQL that several understand), the others what it needs.
`<!-- expect: NAME -->` names the answer of all blocks below it, up to the next prose, and of the table below them, which shows its
first rows (as many as it likes, if its last row is `…`). A block that nobody would run, a block without an answer, and an answer
that no block gives, are failures.
"""

import contextlib
import datetime
import io
import math
import os
import re
import subprocess
import sys
from pathlib import Path

from cells import Cells

ROOT = Path(__file__).resolve().parents[3]
# All that a tag may name; each part runs those that it has.
KNOWN = set("pandas polars pyarrow duckdb sklearn azure adlfs spark clickhouse delta iceberg".split())
TOLERANCE = 1e-9
SECONDS_MAX = 120


class Block:
    def __init__(self, line, tags, expect):
        self.line, self.language, self.engines, self.expect = line, tags[0], tags[1:], expect
        self.lines = []

    @property
    def text(self):
        return "\n".join(self.lines) + "\n"


def parsed(page):
    """Blocks and tables of the page, in its order; a table is a Block of the language `table`."""
    found, block, table, expect = [], None, None, None
    for number, line in enumerate(page.splitlines(), 1):
        if block:
            if line.startswith("```"):
                block = None
            else:
                block.lines.append(line)
        elif line.startswith("```"):
            block, table = Block(number, line[3:].split() or ["none"], expect), None
            found.append(block)
        elif mark := re.fullmatch(r"<!-- expect: (\w+) -->", line):
            expect = mark.group(1)
        elif line.startswith("|") and expect:
            if not table:
                table = Block(number, ["table"], expect)
                found.append(table)
            table.lines.append(line)
        else:
            table = None
            if line.startswith("#") or (line and not line.startswith("<")):
                # Prose ends what a mark speaks for, but for the table right below.
                expect = expect if line == "" else None
    return found


# === Answers ===


def rows(answer):
    """Whatever a library answers with, as a list of {column: plain value}."""
    kind = f"{type(answer).__module__}.{type(answer).__name__}"
    if kind.startswith("polars") and hasattr(answer, "collect"):
        answer = answer.collect()
    if kind.startswith("polars"):
        found = answer.to_dicts()
    elif kind.startswith("pandas"):
        frame = answer.to_frame() if answer.ndim == 1 else answer
        named = [name for name in frame.index.names if name]
        found = (frame.reset_index() if named else frame).to_dict("records")
    elif kind.startswith("pyspark"):
        found = [row.asDict() for row in answer.collect()]
    elif kind.startswith("pyarrow"):
        found = answer.to_pylist()
    elif hasattr(answer, "fetchall"):  # DuckDB
        found = answer.df().to_dict("records")  # as tuples, times with a zone would take another package, pytz
    elif isinstance(answer, dict):
        found = [answer]
    elif isinstance(answer, list):
        found = [{"value": value} for value in answer]
    else:
        raise AssertionError(f"an answer of the type {kind}")
    return [{name: plain(value) for name, value in row.items()} for row in found]


def plain(value):
    if hasattr(value, "item"):
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, datetime.datetime):
        # pandas has dates as times without a zone; Spark's times have none either, and are in the session's, which the page sets to UTC.
        if type(value) is not datetime.datetime and not value.tzinfo:
            return str(value.date())
        return f"{value.astimezone(datetime.UTC) if value.tzinfo else value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, datetime.date):
        return str(value)
    return float(value) if hasattr(value, "as_tuple") else value  # Decimal


def same(found, expected):
    if isinstance(found, str) or isinstance(expected, str) or found is None or expected is None:
        return found == expected
    return math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=1e-10)


def compare(found, expected):
    assert len(found) == len(expected), f"{len(found)} rows instead of {len(expected)}: {found[:3]}"
    for number, (one, other) in enumerate(zip(found, expected)):
        assert set(one) == set(other), f"columns {list(one)} instead of {list(other)}"
        wrong = {name: (one[name], other[name]) for name in other if not same(one[name], other[name])}
        assert not wrong, f"row {number}: {wrong} (found, expected)"


def compare_table(lines, expected):
    """The page's own table: at the digits that it shows."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    names, shown = cells[0], cells[2:]
    whole = shown and shown[-1][0] != "…"
    shown = shown if whole else shown[:-1]
    assert names == list(expected[0]), f"columns {names} instead of {list(expected[0])}"
    assert shown and (len(shown) == len(expected) if whole else len(shown) < len(expected)), f"{len(shown)} rows of {len(expected)}"
    for number, (row, other) in enumerate(zip(shown, expected)):
        for text, (name, value) in zip(row, other.items(), strict=True):
            assert text == at_digits(value, text), f"row {number}, {name}: `{text}` instead of `{at_digits(value, text)}`"


def at_digits(value, text):
    if isinstance(value, float) and not isinstance(value, bool):
        return f"{value:.{len(text.partition('.')[2])}f}"
    return str(value)


# === Running ===


class Runner:
    """Runs a page's blocks in a folder that looks like a checkout; blocks of engines that it has not are left to the other part."""

    def __init__(self, verdicts, expected, folder):
        self.verdicts, self.expected, self.folder, self.engines = verdicts, expected, Path(folder), {}
        self.folder.mkdir(exist_ok=True)
        self.environment = {**os.environ, "PATH": f"{programs(self.folder)}{os.pathsep}{os.environ['PATH']}"}
        for name in ("config", "tests"):
            (self.folder / name).symlink_to(ROOT / name)
        os.chdir(folder)

    def page(self, path, text=None):
        blocks = parsed(text or (ROOT / path).read_text())
        for block in blocks:
            where = f"{path}:{block.line}"
            if block.language == "table":
                with self.verdicts.check(f"{where}: the table of `{block.expect}`"):
                    compare_table(block.lines, self.expected[block.expect])
            elif block.language == "sh":
                with self.verdicts.check(f"{where}: commands"):
                    self.shell(block.text)
            elif self.is_known(where, block):
                self.block(where, block)
        with self.verdicts.check(f"{path}: each answer is asked for"):
            missing = set(self.expected) - {block.expect for block in blocks}
            assert not missing, f"no block gives {missing}"

    def is_known(self, where, block):
        with self.verdicts.check(f"{where}: somebody runs it, and its answer is known"):
            assert block.language in ("python", "sql"), f"nobody runs `{block.language}`"
            assert block.engines and set(block.engines) <= KNOWN, f"nobody runs {block.engines}"
            assert block.expect in self.expected, f"`{block.expect}` is no answer"
            return True

    def block(self, where, block):
        ways = block.engines[:1] if block.language == "python" else block.engines
        # What a Python block needs besides stands behind its engine.
        if block.language == "python" and not set(block.engines) <= set(self.engines):
            return
        for engine in ways:
            if run := self.engines.get(engine):
                with self.verdicts.check(f"{where}: {engine} answers `{block.expect}`"):
                    compare(rows(run(block)), self.expected[block.expect])

    def shell(self, text):
        return shell(text, self.folder, self.environment)


def shell(text, folder, environment):
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{text}"], cwd=folder, env=environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS_MAX,
    )  # fmt: skip
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout[-2000:]}"
    return done.stdout


def programs(folder):
    """A folder for the path: the binary as `atalaia`, and DuckDB's library under the name of its shell, as far as `duckdb -c` goes."""
    found = Path(folder) / "programs"
    found.mkdir()
    (found / "atalaia").symlink_to(Path(os.environ["ATALAIA_BINARY"]).absolute())
    shell = found / "duckdb"
    shell.write_text(f"#!{sys.executable}\nimport duckdb, sys\nassert sys.argv[1] == '-c'\nduckdb.execute(sys.argv[2])\n")
    shell.chmod(0o755)
    return found


def notices(verdicts, folder):
    """Pages with one mistake each, and whether it is noticed: by exactly one failed check."""
    block = '```python pandas\nimport pandas\npandas.DataFrame({"n": [1], "x": [0.5]})\n```\n'
    right = f"<!-- expect: one -->\n{block}\n| n | x |\n|---|---|\n| 1 | 0.5 |\n"
    doctored = {
        "nothing": (right, 0),
        "another answer": (right.replace("[1]", "[2]"), 1),
        "another column": (right.replace('"n"', '"m"'), 1),
        "a row too many": (right.replace("[1]", "[1, 1]").replace("[0.5]", "[0.5, 0.5]"), 1),
        "a number in the table": (right.replace("| 0.5 |", "| 0.6 |"), 1),
        "a block that fails": (right.replace("DataFrame(", "Frame("), 1),
        "a command that fails": (right + "```sh\nfalse | true\n```\n", 1),
        "a language that nobody runs": (right + "```r\n1\n```\n", 1),
        "an answer that nobody gives": ("nothing\n", 1),
    }
    for what, (page, failures) in doctored.items():
        quiet = type(verdicts)()
        with contextlib.redirect_stdout(io.StringIO()):
            runner = Runner(quiet, {"one": [{"n": 1, "x": 0.5}]}, folder / what)
            runner.engines = {"pandas": Cells()}
            runner.page(what, page)
        with verdicts.check(f"the judge notices: {what}"):
            assert quiet.failed == failures, f"{quiet.failed} checks failed instead of {failures}"
