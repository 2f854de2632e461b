"""docs/migration.md, docs/reference-parity.md, docs/delivery.md: what runs is run on the reference's data, and what is named exists."""

import csv
import datetime
import json
import os
import re
from pathlib import Path

from recipes import ROOT, parsed, shell

REFERENCE = ROOT / "tests" / "data" / "reference"


def migration(verdicts, folder, environment):
    folder.mkdir()
    for name, target in (("config", ROOT / "config"), ("sensor_data.csv", REFERENCE / "sensor_data.csv"), ("models", REFERENCE / "models")):
        (folder / name).symlink_to(target)
    blocks = [block for block in parsed((ROOT / "docs" / "migration.md").read_text()) if block.language in ("sh", "toml")]
    with verdicts.check("docs/migration.md: there are commands and a configuration"):
        assert {block.language for block in blocks} == {"sh", "toml"}
    for block in blocks:
        with verdicts.check(f"docs/migration.md:{block.line}: {block.language}"):
            if block.language == "toml":
                (folder / "pipeline.toml").write_text(block.text)
                shell("atalaia validate -c pipeline.toml", folder, environment)
            else:
                shell(block.text, folder, environment)
    with verdicts.check("docs/migration.md: settings and metrics that it names exist"):
        settings_and_metrics_exist()
    with verdicts.check("docs/migration.md: the CSV says what the reference said"):
        compare(folder / "predictions.csv")


def parity(verdicts):
    with verdicts.check("docs/reference-parity.md: tests and parts that it names exist"):
        tests_exist()


def delivery(verdicts, folder):
    """Its blocks of Python, in the folder where docs/recipes.md was run: `piped` has several commits."""
    import duckdb
    import pandas

    blocks = [block for block in parsed((ROOT / "docs" / "delivery.md").read_text()) if block.language == "python"]
    names = {"duckdb": duckdb, "os": os}
    for block in blocks:
        with verdicts.check(f"docs/delivery.md:{block.line}: runs"):
            text = block.text.replace("out/state/plant-7/readings/*/", "piped/state/piped/*/*/")
            exec(text.replace("out/", "piped/"), names)
    with verdicts.check("docs/delivery.md: rows that are complete"):
        (file,) = folder.glob("piped/state/piped/*/*/complete_to")
        until = json.loads(file.read_text())["complete_to"]
        ends = [window_end(row) for row in golden()]
        expected = sum(end <= until for end in ends)
        found = len(names["rows"])
        assert 0 < found == expected < len(ends), f"{found} rows instead of {expected}"
    with verdicts.check("docs/delivery.md: a compacted day"):
        expected = sum(row["TS"].startswith("2018-08-28") for row in golden())
        readers = {"pandas": len(pandas.read_parquet("compacted/predictions")), "DuckDB": len(duckdb.sql("from 'compacted/predictions/*/*.parquet'"))}
        assert set(readers.values()) == {expected}, f"{readers} rows instead of {expected}"


def golden():
    with (REFERENCE / "golden_predictions.csv").open() as file:
        return list(csv.DictReader(file))


def window_end(row):
    start = datetime.datetime.fromisoformat(row["TS"]).replace(tzinfo=datetime.UTC)
    return (int(start.timestamp()) + 5) * 1_000_000


def compare(file):
    with file.open() as mine:
        mine, theirs = list(csv.reader(mine)), golden()
    assert mine[0] == ["TS", "Device", "Tag", "Val", "Prediction"], mine[0]
    # DuckDB's times have a zone and no zeros behind the comma: only up to the second is compared.
    found = {(row[0][:19], *row[1:3], float(row[3]), row[4]) for row in mine[1:]}
    expected = {(row["TS"][:19], row["Device"], row["Tag"], float(row["Value"]), row["Prediction"]) for row in theirs}
    assert len(mine) - 1 == len(theirs) and found == expected, f"{len(mine) - 1} rows, {len(found ^ expected)} differences"


def named(page):
    prose = re.sub(r"^```.*?^```$", "", (ROOT / "docs" / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`]+)`", prose)


def settings_and_metrics_exist():
    settings, metrics = ((ROOT / "docs" / name).read_text() for name in ("configuration.md", "metrics.md"))
    sections = "ingest|aggregate|score|sink|storage|run|telemetry"
    looked_up = 0
    for word in named("migration.md"):
        if match := re.match(rf"(?:{sections})(?:\.[a-z_]+)*\.([a-z_]+)\b", word):
            assert f"**`{match.group(1)}`**" in settings, f"no setting `{word}`"
        elif word.startswith("atalaia_"):
            assert f"`{word}`" in metrics, f"no metric `{word}`"
        else:
            continue
        looked_up += 1
    assert looked_up > 10, f"only {looked_up} were found on the page"


def tests_exist():
    looked_up = 0
    for line in (ROOT / "docs" / "reference-parity.md").read_text().splitlines():
        shown_by = line.rstrip(" |").rpartition("|")[2] if line.startswith("| ") else ""
        for word in re.findall(r"`([^`]+)`", shown_by):
            if word.startswith("scripts/test-deploy "):
                missing = [part for part in word.split()[1:] if not (ROOT / "tests" / "deploy" / part).is_file()]
            elif re.fullmatch(r"[a-z_]+(::[a-z_]+)?", word):
                module, _, name = word.partition("::")
                file = ROOT / "tests" / "it" / f"{module}.rs"
                missing = [] if file.is_file() and (not name or f"fn {name}(" in file.read_text()) else [word]
            else:
                continue  # `make …` and `atalaia …`: tests/docs.rs
            assert not missing, f"there is no {missing}"
            looked_up += 1
    assert looked_up > 15, f"only {looked_up} were found on the page"
