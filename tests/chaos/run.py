#!/usr/bin/env python3
"""Chaos on real parts:  tests/chaos/run.py --minutes 2

Three brokers (or an Event Hubs emulator), a blob store behind a proxy that fails on request, workers that are killed, stopped, added and taken away, while
a fleet sends and others read the results. In the end everything is recomputed from the topic and compared: nothing may be lost,
nothing doubled, nothing wrong. The last line has all figures; status 0 if all is well. A failed run leaves everything where it
lies and says how to run it again.
"""

import argparse
import os
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

sys.dont_write_bytecode = True
import start  # noqa: E402


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2, help="how long faults are made")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000, help="input and schedule follow from it")
    parser.add_argument("--source", choices=["kafka", "event-hubs"], default="kafka", help="event-hubs: the emulator of tests/event-hubs")
    parser.add_argument("--store", choices=["azurite", "local"], default="azurite", help="local: a folder, and no faults of storage")
    parser.add_argument("--rate", type=float, help="records a second (4,000; from 20 minutes on 10,000)")
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--workers", type=int, default=3, help="one thread each; up to two more come and go")
    parser.add_argument("--devices", type=int, default=250, help="with two sensors each")
    parser.add_argument("--binary", type=Path, help="target/release/atalaia, or the debug one if it is newer")
    parser.add_argument("--out", type=Path, help="where the report goes, and everything else if the run fails")
    parser.add_argument("--keep", action="store_true", help="keep everything in any case")
    return parser.parse_args()


def main():
    chosen = options()
    services, homes = start.prepared("kafka", "azurite", "event-hubs-js")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    # Only now, as the Python that has their libraries.
    from course import Run
    from report import report

    run = Run(services, homes, chosen, chosen.binary or start.newest_binary())
    try:
        run.run()
    except KeyboardInterrupt:
        run.failures.append("interrupted")
    except Exception as error:  # noqa: BLE001: whatever it is, the run has failed and is to be reported
        run.failures.append(f"{type(error).__name__}: {error}")
        traceback.print_exc()
    finally:
        run.clean_up()
        line = report(run)
    for failure in list(dict.fromkeys(run.failures))[:40]:
        run.say(f"FAILED {failure}")
    if run.failures or chosen.keep:
        run.say(f"everything is in {run.folder}")
    else:
        shutil.rmtree(run.folder)
    if run.failures:
        run.say(f"again: tests/chaos/run.py --minutes {chosen.minutes:g} --seed {chosen.seed} --source {chosen.source} --store {chosen.store} --rate {chosen.rate:g}")
    print(line, flush=True)
    # Past the threads that clients have left behind.
    os._exit(1 if run.failures else 0)


if __name__ == "__main__":
    main()
