"""The blocks of docs/migration.md: its commands on the reference's data, its configuration by `validate`, its CSV against the reference."""

import csv
from pathlib import Path

from recipes import ROOT, parsed, shell

REFERENCE = ROOT / "tests" / "data" / "reference"


def check(verdicts, folder, environment):
    folder = Path(folder)
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
    with verdicts.check("docs/migration.md: the CSV says what the reference said"):
        compare(folder / "predictions.csv")


def compare(file):
    with file.open() as mine, (REFERENCE / "golden_predictions.csv").open() as theirs:
        mine, theirs = list(csv.reader(mine)), list(csv.DictReader(theirs))
    assert mine[0] == ["TS", "Device", "Tag", "Val", "Prediction"], mine[0]
    # DuckDB's times have a zone and no zeros behind the comma: only up to the second is compared.
    found = {(row[0][:19], *row[1:3], float(row[3]), row[4]) for row in mine[1:]}
    expected = {(row["TS"][:19], row["Device"], row["Tag"], float(row["Value"]), row["Prediction"]) for row in theirs}
    assert len(mine) - 1 == len(theirs) and found == expected, f"{len(mine) - 1} rows, {len(found ^ expected)} differences"
