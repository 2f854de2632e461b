"""Judges a hand-over between two pipelines at a boundary, from the topic itself.

usage: hand_over.py BROKERS TOPIC SCORED_FOLDER CONFIG          prints one JSON object; exit status 1 if anything differs

CONFIG is JSON: `until` (the boundary, microseconds), `old` and `new` (the specification's settings of both pipelines).
Readings before the boundary are the old pipeline's, by its rules, as if there were no hand-over; all others are those of a pipeline that begins
with nothing and does not see readings before the boundary. Each reading is in one row of one of them, or late in one of them.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from datasets import read_all
from topic import compare, decode, frame_of, records, side

sys.path.insert(0, str(Path(__file__).parent.parent / "timespec"))
import timespec  # noqa: E402


def pipeline(found, rules, sees, close):
    """Rows and late readings of one pipeline; `sees` tells which readings it looks at."""
    rows, late, readings = [], set(), Counter()
    for partition, log in found.items():
        stage = timespec.Stage(rules)
        for offset, time, payload in log:
            reading = decode(payload, {})
            entry = {"position": offset, "broker_time": time, "readings": [reading] if sees(reading) else []}
            readings["all"] += 1
            readings["seen"] += len(entry["readings"])
            late |= {(partition, line["position"], line["index"], line["t"]) for line in timespec.step(stage, entry) if line["kind"] == "late"}
        stage.end(close)
        rows += [{**row, "partition": partition} for row in stage.emit()]
    return rows, late, readings


def main():
    brokers, topic, folder, config = sys.argv[1:5]
    config = json.loads(config)
    until = config["until"]
    found = records(brokers, topic)
    old_rows, old_late, readings = pipeline(found, config["old"], lambda reading: True, "due")
    new_rows, new_late, seen = pipeline(found, config["new"], lambda reading: reading[2] >= until, "all")
    old_rows = [row for row in old_rows if row["end"] <= until]
    old_late = {line for line in old_late if line[3] < until}
    late = {line[:3] for line in old_late | new_late}

    problems = []
    right = frame_of(old_rows + new_rows)
    for reader, frame in read_all(f"{folder}/predictions").items():
        wrong, _ = compare(frame, right, {"duplicates": False})
        problems += [f"{reader}: {problem}" for problem in wrong]
        total = int(frame["value_count"].sum())
        if total + len(late) != readings["all"]:
            problems.append(f"{reader}: {total} readings in rows and {len(late)} late, of {readings['all']}")
        of = frame.groupby("pipeline")["window_start"].agg(["min", "max", "count"])
        shown = {str(name): [str(row["min"]), str(row["max"]), int(row["count"])] for name, row in of.iterrows()}
    got = side(f"{folder}/late", ["partition", "position", "index"], False)
    if len(got) != len(late) or set(zip(got["partition"], got["position"], got["index"])) != late:
        problems.append(f"late: {len(got)} rows, {len(late)} expected")
    print(json.dumps({"good": not problems, "readings": readings["all"], "beyond": seen["seen"], "rows": len(right), "late": len(late),
                      "late_old": len(old_late), "pipelines": shown, "problems": problems}))
    sys.exit(1 if problems else 0)


main()
