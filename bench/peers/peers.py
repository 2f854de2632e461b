#!/usr/bin/env python3
"""The peers of the benchmark: builds what has to be built and prints how to start each.

usage: peers.py --brokers B --topic T --events N --models FOLDER --out FOLDER [--sklearn-events N] [--without-flink]

Prints a JSON line for each contender: `name`, `command`, and `events` and `out`, the records it reads and the folder for
its rows. To be run by the Python of the services, which also runs the peers written in Python. Flink is built by Maven at the first
use, into flink/target; where it cannot be, the reason goes to stderr, its contenders are missing and the exit status is 3.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLINK = HERE / "flink"
# Quiet but for errors: Flink warns hundreds of times that two readers have the same metrics.
JAVA = ["java", "-Xmx1536m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("brokers", "topic", "models", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--sklearn-events", type=int, help="the slow one may read fewer [default: as the others]")
    parser.add_argument("--without-flink", action="store_true", help="what needs no Java")
    args = parser.parse_args()

    contender(args, "Python, numpy and Polars by hand, no guarantees", python("numpy_consumer.py"), "numpy")
    contender(args, "Python, scikit-learn per row, no guarantees", python("sklearn_consumer.py"), "sklearn", args.sklearn_events)
    if args.without_flink:
        return 0
    try:
        build_flink()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"peers: no Flink: {error}", file=sys.stderr)
        return 3
    for parallelism in (1, 2):
        name = f"Flink {flink_version()}, parallelism {parallelism}, exactly-once checkpoints"
        contender(args, name, flink(), f"flink-{parallelism}", parallelism=parallelism)
    return 0


def contender(args, name, program, folder, events=None, parallelism=1):
    events, out = min(events or args.events, args.events), str(Path(args.out) / folder)
    options = {"brokers": args.brokers, "topic": args.topic, "events": events, "models": args.models, "out": out, "parallelism": parallelism}
    command = program + [str(part) for option, value in options.items() for part in (f"--{option}", value)]
    print(json.dumps({"name": name, "command": command, "events": events, "out": out}))


def python(script):
    return [sys.executable, "-B", str(HERE / script)]


def flink():
    return [*JAVA, "-cp", os.pathsep.join([str(FLINK / "target" / "flink-peer.jar"), str(FLINK / "target" / "libs" / "*")]), "atalaia.bench.FleetJob"]


def flink_version():
    return next((FLINK / "target" / "libs").glob("flink-core-[0-9]*.jar")).stem.removeprefix("flink-core-")


def build_flink():
    """Builds unless the mark of the last good build is younger than all sources."""
    mark = FLINK / "target" / "built"
    sources = [FLINK / "pom.xml", *(FLINK / "src").rglob("*.java")]
    if mark.exists() and mark.stat().st_mtime >= max(source.stat().st_mtime for source in sources):
        return
    print("peers: building the Flink job (the first time takes minutes)", file=sys.stderr)
    # What Maven says goes to stderr: stdout is the list.
    subprocess.run(["mvn", "--quiet", "--batch-mode", "clean", "package"], cwd=FLINK, stdout=sys.stderr, stdin=subprocess.DEVNULL, check=True)
    mark.touch()


if __name__ == "__main__":
    sys.exit(main())
