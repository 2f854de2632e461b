#!/usr/bin/env python3
"""A long run at half of what the machine manages:  tests/soak/run.py --minutes 120

A fleet whose records are known by formulas, one broker with bounded retention, instances that share the topic. Models are published
every minute; every ten minutes the last instance is killed or asked to leave, and comes back. Memory, descriptors, threads, processor
time and lag are looked at every ten seconds. In the end all is read, and every row is held against the formulas.

The status is 0 unless something was lost, doubled, wrong or unaccounted for, or the run was stopped by a guard (disk, a fleet far
behind). Times and slopes are told, not judged; `--slope-max` makes a bound of memory's.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import traceback
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "chaos"))
import start  # noqa: E402


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--rate", type=float, default=0, help="records a second; left out, the peak is found first")
    parser.add_argument("--share", type=float, default=0.5, help="of the peak")
    parser.add_argument("--probe", type=float, default=40, help="seconds in which the peak is found; the first third does not count")
    parser.add_argument("--store", choices=["local", "azurite"], default="local", help="azurite is for correctness at low rates")
    parser.add_argument("--devices", type=int, default=4000)
    parser.add_argument("--sensors", type=int, default=5)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--window", type=float, default=10, help="seconds")
    parser.add_argument("--models", type=int, default=48, help="devices with models, one for each sensor")
    parser.add_argument("--instances", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1, help="of each instance")
    parser.add_argument("--reload-every", type=float, default=60, help="seconds")
    parser.add_argument("--restart-every", type=float, default=10, help="minutes")
    parser.add_argument("--sample-every", type=float, default=10, help="seconds")
    parser.add_argument("--warm-up", type=float, default=180, help="seconds of each life that slopes leave out")
    parser.add_argument("--slope-max", type=float, help="%% an hour: fail if memory grows by more, beyond twice its standard error")
    parser.add_argument("--retention-mib", type=float, default=3072, help="of the topic")
    parser.add_argument("--binary", type=Path, help="target/release/atalaia, or the debug one if it is newer")
    parser.add_argument("--out", type=Path, help="where report.json and samples.jsonl go, and everything else if the run fails")
    parser.add_argument("--keep", action="store_true", help="keep everything in any case")
    return parser.parse_args()


def main():
    chosen = options()
    services, homes = start.prepared("kafka", "azurite")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    # Only now, as the Python that has their libraries.
    from report import report
    from soak import Soak

    soak = Soak(services, homes, chosen, chosen.binary or start.newest_binary())
    try:
        soak.run()
    except KeyboardInterrupt:
        soak.problems.append("interrupted")
    except Exception as error:  # noqa: BLE001: whatever it is, the run has failed and is to be reported
        soak.problems.append(f"{type(error).__name__}: {error}")
        traceback.print_exc()
    finally:
        soak.clean_up()
        text, details = report(soak)
    (soak.folder / "report.json").write_text(json.dumps(details, indent=1))
    if chosen.out:
        for name in ("report.json", "samples.jsonl"):
            if (soak.folder / name).exists():
                shutil.copy(soak.folder / name, chosen.out)
    print(text, flush=True)
    if not details["good"] or chosen.keep:
        soak.say(f"everything is in {soak.folder}")
    else:
        shutil.rmtree(soak.folder)
    # Past the threads that clients have left behind.
    os._exit(0 if details["good"] else 1)


if __name__ == "__main__":
    main()
