#!/usr/bin/env python3
"""The same work by one large instance, by four small ones, and by four jobs side by side: are the rows equal, and what does each cost?

  bench/scale.py [--records 2000000] [--rounds 3]      after a release build (`make bench-scale`)

One topic of 12 partitions on real Kafka, whose records follow from formulas (tests/soak/plan.py); results and state in Azurite, whose access
log counts the requests. Jobs take a share of the partitions each (`atalaia score --shard i/4`); a program without that gets the same
records as four files. Equal means: the same rows in all columns but those that name who wrote them, and the rows that the formulas say.
"""

import argparse
import collections
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parent.parent
sys.path[1:1] = [str(ROOT / "tests" / "soak"), str(ROOT / "tests" / "chaos")]
import start  # noqa: E402

PARTITIONS, DEVICES, SENSORS, WINDOW_S, PERIOD_S, SHARES = 12, 4000, 5, 10, 1, 4
TICKS = os.sysconf("SC_CLK_TCK")
REQUEST = re.compile(r'"(GET|HEAD|PUT|DELETE|POST) /devstoreaccount1/([a-z0-9-]+)(?:/[^?" ]*)?(\?[^ "]*)? HTTP')
# Who wrote a row, and where the input lay; all else must agree.
OF_THE_WRITER = {"pipeline", "topic"}
OF_THE_PLACE = {"source_partition", "first_position", "last_position"}


class Azurite:
    """As scripts/services starts it, but with its access log."""

    def __new__(cls, services, home, folder):
        class Telling(services.Azurite):
            def start(self, detached):
                program = self.home / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
                flags = ["--skipApiVersionCheck", "--disableTelemetry", "--location", self.data / "blobs"]
                self.spawn(["node", program, "--blobHost", "127.0.0.1", "--blobPort", self.port, *flags], detached)

        return Telling(home, folder)


class Bench:
    def __init__(self, services, homes, chosen, folder):
        self.services, self.chosen, self.folder = services, chosen, folder
        self.binary = (chosen.binary or start.newest_binary()).resolve()
        self.kafka = services.Kafka(homes["kafka"], folder / "kafka")
        self.azurite = Azurite(services, homes["azurite"], folder / "azurite")
        self.servers = [self.kafka, self.azurite]

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def prepare(self):
        import models
        from confluent_kafka.admin import AdminClient, NewTopic
        from plan import Plan

        for server in self.servers:
            server.start(detached=False)
        for server in self.servers:
            server.wait_ready()
        self.brokers = f"127.0.0.1:{self.kafka.port}"
        self.steps = max(self.chosen.records // (DEVICES * SENSORS), 2) // 2 * 2
        facts = {"devices": DEVICES, "sensors": SENSORS, "partitions": PARTITIONS, "rate": DEVICES * SENSORS / PERIOD_S, "window_s": WINDOW_S}
        facts["start_ms"] = int(time.time() * 1000) - self.steps * PERIOD_S * 1000 - 60_000
        self.plan = Plan(**facts)
        admin = AdminClient({"bootstrap.servers": self.brokers})
        admin.create_topics([NewTopic("readings", PARTITIONS, 1, config={"retention.ms": "-1"})])["readings"].result(60)
        settings = self.folder / "load.json"
        settings.write_text(json.dumps({"plan": facts, "address": self.brokers, "topic": "readings", "flood": True, "steps": self.steps}))
        subprocess.run([sys.executable, "-B", ROOT / "tests" / "soak" / "load.py", settings, self.folder / "sent.json"], check=True, stdin=subprocess.DEVNULL)
        self.records = sum(self.plan.tally(partition, self.steps)["records"] for partition in range(PARTITIONS))
        models.make(self.folder / "models", self.plan, 48)
        command = [self.binary, "models", "publish", "--from", self.folder / "models" / "a", "--to", self.folder / "registry", "--template", "model_{device}_{sensor}", "--format", "json"]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        self.sets, self.with_models = {json.loads(told)["set"]: "a"}, models.chosen(self.plan, 48)
        self.has_shards = "--shard" in subprocess.run([self.binary, "score", "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout
        if not self.has_shards:
            self.write_files()
        self.say(f"{self.records:,} records of {self.plan.series:,} series in {PARTITIONS} partitions")

    def write_files(self):
        """The partitions' records as lines, a file for each share."""
        from load import Sheet, kind_of, odd
        from test_soak import unpacked

        for share in range(SHARES):
            folder = self.folder / "files" / str(share)
            folder.mkdir(parents=True)
            with open(folder / "readings.jsonl", "wb") as file:
                for partition in range(share, PARTITIONS, SHARES):
                    devices = range(self.plan.of_partition(partition))
                    sheets = [Sheet(self.plan, partition, devices), Sheet(self.plan, partition, [at for at in devices if kind_of(at) != "away"])]
                    for step in range(self.steps):
                        sheet = sheets[1 if self.plan.is_away(step) else 0]
                        data = sheet.fill(step) + odd(self.plan, partition, step, sheet.count)[0]
                        file.writelines(payload + b"\n" for _, _, payload in unpacked(data) if payload is not None)

    def configuration(self, name, workers, files=None):
        """Each contender with a container, a group and a state of its own."""
        ingest = {"source": "kafka", "kafka": {"brokers": self.brokers, "topic": "readings", "group": name}}
        if files:
            ingest = {"source": "files", "files": {"path": str(files), "assume_sorted": True}}
        value = {
            "pipeline": f"{name}-{files.parent.name}" if files else "scale", "ingest": {**ingest, "decode": {"time_unit": "ms"}},
            "aggregate": {"window": f"{WINDOW_S}s", "out_of_orderness": "5s", "close_after": "2d"}, "score": {"models": str(self.folder / "registry")},
            "sink": {"url": f"az://{name}/"}, "storage": {"emulator": True, "endpoint": f"http://127.0.0.1:{self.azurite.port}"},
            "telemetry": {"metrics": "off", "log": "warn"}, "run": {"workers": workers},
        }  # fmt: skip
        path = self.folder / f"{value['pipeline']}-{name}.json"
        path.write_text(json.dumps(value))
        return path

    def contenders(self, number):
        """(title, container, commands)."""
        binary = str(self.binary)
        large, small, jobs = (f"{kind}-{number}" for kind in ("large", "small", "jobs"))
        service = ["--until-idle", "--close", "all"]
        yield "one instance, 2 workers", large, [[binary, "run", "-c", str(self.configuration(large, 2)), *service]]
        yield f"{SHARES} instances, 1 worker each", small, [[binary, "run", "-c", str(self.configuration(small, 1)), *service]] * SHARES
        if self.has_shards:
            config = str(self.configuration(jobs, 1))
            yield f"{SHARES} jobs, `score --shard i/{SHARES}`", jobs, [[binary, "score", "-c", config, "--close", "all", "--shard", f"{share}/{SHARES}"] for share in range(SHARES)]
        else:
            configs = [self.configuration(jobs, 1, self.folder / "files" / str(share) / "readings.jsonl") for share in range(SHARES)]
            yield f"{SHARES} jobs, `score` over a file each", jobs, [[binary, "score", "-c", str(config), "--close", "all"] for config in configs]

    def run(self, container, commands):
        """What it took; Azurite's log tells of the requests."""
        import store

        place = store.opened(["blobs", f"http://127.0.0.1:{self.azurite.port}", container])
        place.create()
        seen = self.azurite.log.stat().st_size
        begun, running, peaks, cpu = time.monotonic(), [], {}, 0.0
        for number, command in enumerate(commands):
            log = open(self.folder / f"{container}-{number}.log", "wb")
            running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=self.services.die_with_parent))
        waiting = set(range(len(running)))
        while waiting:
            time.sleep(0.02)
            for number in list(waiting):
                process = running[number]
                peaks[number] = max(peaks.get(number, 0), peak(process.pid))
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
                if ended:
                    waiting.discard(number)
                    process.returncode = os.waitstatus_to_exitcode(status)
                    cpu += usage.ru_utime + usage.ru_stime
                    if process.returncode:
                        raise SystemExit(f"{' '.join(commands[number])} ended with {process.returncode}:\n{(self.folder / f'{container}-{number}.log').read_text()[-3000:]}")
        wall = time.monotonic() - begun
        time.sleep(0.3)
        with open(self.azurite.log, "rb") as log:
            log.seek(seen)
            requests = collections.Counter(kind(match) for match in REQUEST.finditer(log.read().decode(errors="replace")) if match[2] == container)
        files = [name for name in place.names("") if store.FILE.match(name)]
        mirror = store.Mirror(place, self.folder / "mirror" / container)
        mirror.fetch([name for name in files if not name.startswith("runs/")])
        return {"wall": wall, "cpu": cpu, "peak": sum(peaks.values()), "requests": dict(requests), "files": len(files)}

    def judge(self, title, container, first):
        """Problems: against the formulas, and against the first contender, row by row and column by column."""
        import duckdb
        import verdict

        got = self.folder / "mirror" / container
        wanted = [(partition, at) for partition in range(0, PARTITIONS, 5) for at in (0, 1, 3)] + self.with_models[:3]
        is_from_files = not self.has_shards and container.startswith("jobs")
        problems, figures = verdict.compare(got, self.folder, self.plan, self.steps, sorted(set(wanted)), self.folder / "models", self.sets)
        if is_from_files:
            # A file has one partition, whatever it holds.
            problems = [problem for problem in problems if " of partition " not in problem]
        database = duckdb.connect()
        compared = {}
        for dataset in ("predictions", "late"):
            has = [(self.folder / "mirror" / name / dataset).exists() for name in (first, container)]
            if not all(has):
                if any(has):
                    problems.append(f"{title}: only one of it and the first contender has rows of {dataset}")
                continue
            paths = [f"{self.folder}/mirror/{name}/{dataset}/**/*.parquet" for name in (first, container)]
            columns = database.execute(f"select column_name from (describe select * from read_parquet('{paths[0]}', hive_partitioning = false))").fetchall()
            left_out = OF_THE_WRITER | (OF_THE_PLACE | {"partition", "position"} if is_from_files else set())
            columns = ", ".join(f'"{name}"' for (name,) in columns if name not in left_out)
            one, other = (f"select {columns} from read_parquet('{path}', hive_partitioning = false)" for path in paths)
            for less, more, what in ((one, other, "missing"), (other, one, "others")):
                number = database.execute(f"select count(*) from ({less} except all {more})").fetchone()[0]
                if number:
                    problems.append(f"{title}: {number} rows of {dataset} are {what} than those of the first contender")
            compared[dataset] = database.execute(f"select count(*) from ({one})").fetchone()[0]
        return problems, figures["rows"], compared


def peak(pid):
    try:
        found = re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def kind(match):
    method, query = match[1], match[3] or ""
    if method == "GET":
        return "list" if "comp=list" in query else "get"
    return {"HEAD": "head", "DELETE": "delete", "PUT": "write", "POST": "write"}[method]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=2_000_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--binary", type=Path)
    chosen = options.parse_args()
    services, homes = start.prepared("kafka", "azurite")
    folder = Path(tempfile.mkdtemp(prefix="scale-"))
    bench, problems, table = Bench(services, homes, chosen, folder), [], collections.defaultdict(list)
    try:
        bench.prepare()
        for number in range(chosen.rounds):
            first = None
            for title, container, commands in bench.contenders(number):
                first = first or container
                figures = bench.run(container, commands)
                found, figures["rows"], compared = bench.judge(title, container, first)
                problems += found
                table[title].append(figures)
                bench.say(f"round {number + 1}: {title}: {json.dumps(figures)}; compared {compared}; {found or 'equal'}")
                shutil.rmtree(folder / "mirror" / container) if container != first else None
    finally:
        start.end_now((), servers=bench.servers)
    print(f"| {bench.records:,} records, median of {chosen.rounds} | wall s | M records/s | CPU-s per M | peak MiB, added up | requests (write, list, get, head) | files | rows |")
    print("|---|---|---|---|---|---|---|---|")
    for title, runs in table.items():
        middle = lambda pick: statistics.median(map(pick, runs))  # noqa: E731, B023
        requests = [middle(lambda run, name=name: run["requests"].get(name, 0)) for name in ("write", "list", "get", "head")]
        wall = middle(lambda run: run["wall"])
        print(
            f"| {title} | {wall:.1f} | {bench.records / wall / 1e6:.2f} | {middle(lambda run: run['cpu']) / bench.records * 1e6:.2f} "
            f"| {middle(lambda run: run['peak']) / 2**20:.0f} | {sum(requests):.0f} ({', '.join(f'{one:.0f}' for one in requests)}) "
            f"| {middle(lambda run: run['files']):.0f} | {runs[0]['rows']} |"
        )
    for problem in problems:
        print(f"DIFFERS: {problem}")
    shutil.rmtree(folder) if not problems else print(f"everything is in {folder}")
    print("rows equal" if not problems else "rows differ", flush=True)
    os._exit(1 if problems else 0)


if __name__ == "__main__":
    main()
