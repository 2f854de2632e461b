"""Two runs over the same input must have written the same rows:  same.py ONE OTHER [COLUMN…]   (folders of results)

Prints one JSON object; exit status 1 if any row of predictions or late readings differs, in any column but the pipeline's name and those
given, or if another number of items was refused for some reason.
"""

import json
import sys
from pathlib import Path

from datasets import files, read_all


def rows(folder):
    if not Path(folder).exists() or not files(folder):
        return None
    frame = next(iter(read_all(folder).values()))
    frame["features"] = frame["features"].astype(str) if "features" in frame else None
    return frame.drop(columns=["pipeline", *sys.argv[3:]], errors="ignore")


def refused(folder):
    """How many items, by reason. How they are cut into rows is the commits' business."""
    if not Path(folder).exists() or not files(folder):
        return {}
    counts = next(iter(read_all(folder).values())).groupby("reason")["count"].sum()
    return {reason: int(count) for reason, count in sorted(counts.items())}


def main():
    one, other = sys.argv[1:3]
    problems, found = [], {}
    for dataset in ("predictions", "late"):
        a, b = rows(f"{one}/{dataset}"), rows(f"{other}/{dataset}")
        found[dataset] = [0 if x is None else len(x) for x in (a, b)]
        if (a is None) != (b is None) or (a is not None and len(a) != len(b)):
            problems.append(f"{dataset}: {found[dataset]} rows")
        elif a is not None:
            differ = [c for c in a.columns if not a[c].equals(b[c])]
            problems += [f"{dataset}: {c} differs in {int((a[c] != b[c]).sum())} rows" for c in differ]
    a, b = (refused(f"{folder}/quarantine") for folder in (one, other))
    problems += [] if a == b else [f"quarantine: {a} against {b}"]
    anomalies = 0 if (p := rows(f"{one}/predictions")) is None else int(p["is_anomaly"].sum())
    print(json.dumps({"good": not problems, "rows": found, "refused": a, "anomalies": anomalies, "problems": problems}))
    sys.exit(1 if problems else 0)


main()
