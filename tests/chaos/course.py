"""The course of a run: start the parts, let faults happen, end, ask the oracle, judge."""

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fleet
import judge
import logs
import oracle
import parts
import produce
import reader
import start
import workers
from faults import Conductor, Control
from store import DATASETS, FILE, Mirror, opened

HERE = Path(__file__).resolve().parent
TOPIC = "readings"
LONG_FROM_MINUTES = 20
FINAL_SECONDS_MAX = 1200
# What the role that SECURITY.md asks for cannot do in datasets: remove, or write over what is there.
BEYOND_RIGHTS = r"^(DELETE any|DELETE new|PUT any|PATCH any|POST any) (/[^/?]+)?/chaos/(predictions|late|quarantine|runs)/"


class Run:
    """Parts, figures and failures of one run."""

    def __init__(self, services, homes, chosen, binary):
        self.services, self.homes, self.chosen = services, homes, chosen
        chosen.rate = chosen.rate or (10_000 if chosen.minutes >= LONG_FROM_MINUTES else 4_000)
        self.binary = binary.resolve()
        self.source = parts.of(chosen.source)(services, homes, chosen, self.binary)
        if chosen.out:
            chosen.out.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-", dir=chosen.out)).resolve()
        self.begun, self.times, self.failures = time.monotonic(), {}, []
        self.servers, self.workers, self.helpers, self.children = [], [], [], []
        self.conductor, self.verdict, self.errors = None, None, None
        self.journal, self.tallies, self.found, self.wall_steps = {}, {}, {}, 0
        self.beyond_rights = None
        self.spawn = multiprocessing.get_context("spawn")
        self.stop = self.spawn.Event()

    def say(self, text):
        print(f"chaos: {time.monotonic() - self.begun:6.1f} s  {text}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def phase(self, name):
        begun = time.monotonic()
        yield
        self.times[name] = round(time.monotonic() - begun, 1)
        self.say(f"{name}: {self.times[name]} s")

    # === Parts ===

    def start_services(self):
        models = self.child("models", HERE / "models.py", self.folder / "models", self.chosen.seed, self.chosen.devices, 2, 60)
        for attempt in range(1, 4):
            self.make_servers(self.folder / f"services-{attempt}")
            for server in self.servers:
                server.start(detached=False)
            try:
                for server in self.servers:
                    server.wait_ready()
                break
            except self.services.PortTaken:
                self.say("a port was taken meanwhile: once more with others")
                start.end_now((), servers=self.servers)
        else:
            raise self.services.Failure("no free ports after three attempts")
        if models.wait() != 0:
            raise self.services.Failure("the models could not be made: " + (self.folder / "models.log").read_text())
        self.source.open(TOPIC)

    def make_servers(self, folder):
        self.servers = self.source.servers(folder)
        if self.chosen.store == "azurite":
            self.azurite = self.services.Azurite(self.homes["azurite"], folder / "azurite")
            self.servers.append(self.azurite)

    def start_store(self):
        self.control = None
        if self.chosen.store == "local":
            self.place, self.url, self.endpoint = ["folder", str(self.folder / "store")], str(self.folder / "store"), None
        else:
            proxy = self.child("proxy", HERE / "proxy.py", "--to", f"127.0.0.1:{self.azurite.port}", "--forbid", BEYOND_RIGHTS, pipe=True)
            _, port, _, control = proxy.stdout.readline().split()
            self.control = Control(int(control))
            self.place = ["blobs", f"http://127.0.0.1:{self.azurite.port}", "chaos"]
            self.url, self.endpoint = "az://chaos", f"http://127.0.0.1:{int(port)}"
        opened(self.place).create()

    def child(self, name, script, *args, pipe=False):
        command = [sys.executable, "-B", str(script), *map(str, args)]
        with open(self.folder / f"{name}.log", "wb") as log:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if pipe else log, stderr=log, preexec_fn=self.services.die_with_parent)
        self.children.append(child)
        return child

    def helper(self, target, *args):
        process = self.spawn.Process(target=target, args=args, daemon=True)
        process.start()
        self.helpers.append(process)
        return process

    def start_helpers(self):
        chosen, long = self.chosen, self.chosen.minutes >= LONG_FROM_MINUTES
        settings = {"place": self.source.place, "rate": chosen.rate, "seed": chosen.seed, "start_ms": fleet.beginning()}
        settings |= {"devices": chosen.devices, "sensors": 2, "partitions": chosen.partitions}
        self.producer = self.helper(produce.produce, settings, self.folder / "produced.json")
        self.reader = self.helper(reader.read_on, self.place, self.folder / "mirror", self.folder / "reads.json", chosen.seed, self.stop, 5 if long else 3)
        self.collector = self.helper(logs.collect, self.place, self.folder / "journal.json", self.stop, 20)

    def start_workers(self):
        long = self.chosen.minutes >= LONG_FROM_MINUTES
        settings = {"models": self.folder / "models", "url": self.url, "endpoint": self.endpoint}
        settings |= {"input": self.source.configuration(self.place)}
        settings |= {"rules": fleet.RULES, "commit_interval": "3s" if long else "2s", "max_delay": "6s" if long else "3s"}
        config = self.folder / "pipeline.toml"
        config.write_text(workers.configuration(settings))
        self.make_worker = lambda number: workers.Worker(number, self.binary, config, self.folder / "workers", self.services.die_with_parent, self.source)
        self.workers += [self.make_worker(number) for number in range(self.chosen.workers)]
        for worker in self.workers:
            worker.start()

    # === The course of it ===

    def run(self):
        chosen = self.chosen
        self.say(f"seed {chosen.seed}, {chosen.rate:.0f} records/s, {self.binary}, everything below {self.folder}")
        with self.phase("start"):
            self.start_services()
            self.start_store()
            self.start_helpers()
            self.start_workers()
        with self.phase("chaos"):
            self.make_chaos()
        if not self.failures:
            with self.phase("end of input"):
                self.end_input()
        if not self.failures:
            with self.phase("last run"):
                self.last_run()
        if not self.failures:
            with self.phase("oracle"):
                self.ask_oracle()
            with self.phase("judgement"):
                self.judge()

    def make_chaos(self):
        self.conductor = Conductor(self.chosen.seed, self.chosen.minutes, self.workers, self.make_worker, self.source, self.control, self.say)
        told = time.monotonic()
        while self.conductor.turn() or time.monotonic() - self.conductor.begun < self.conductor.seconds:
            time.sleep(0.05)
            self.watch(self.conductor.forgives)
            if self.failures:
                return
            if time.monotonic() - told > 30:
                told = time.monotonic()
                done = self.figures("produced.json")
                reads = self.figures("reads.json")
                self.say(f"{done.get('records', 0)} records, {reads.get('reads', 0)} reads of {reads.get('files', 0)} files, {dict(self.conductor.counts)}")
        self.conductor.settle()

    def watch(self, forgives=lambda worker, sent_away: False):
        for worker in self.workers:
            if failure := worker.failure(forgives):
                self.failures.append(failure)
        for process in self.helpers:
            if process.exitcode not in (None, 0):
                self.failures.append(f"{process.name} ended with status {process.exitcode}")

    def figures(self, name):
        with contextlib.suppress(OSError, ValueError):
            return json.loads((self.folder / name).read_text())
        return {}

    def end_input(self):
        os.kill(self.producer.pid, signal.SIGTERM)
        self.producer.join(600)
        produced = self.figures("produced.json")
        if not produced.get("done") or produced["failed"]:
            self.failures.append(f"the producer did not deliver everything: {produced}")
        self.watch()
        for worker in self.workers:
            if worker.is_running() and worker.leaving_since is None:
                worker.leave()
        while any(worker.is_running() for worker in self.workers) and not self.failures:
            time.sleep(0.05)
            self.watch()
        self.watch()

    def last_run(self):
        last = self.make_worker(98)
        self.workers.append(last)
        last.start("--until-idle", "--close", "all")
        deadline = time.monotonic() + FINAL_SECONDS_MAX
        while last.is_running() and time.monotonic() < deadline:
            time.sleep(0.05)
        if last.is_running():
            self.failures.append(f"the last run does not become idle: {last.log()}")
        else:
            last.leaving_since = time.monotonic()  # its end is wanted, its status 0 too
            self.watch()
        self.stop.set()
        for process in (self.reader, self.collector):
            process.join(120)
        self.watch()
        self.copy_datasets()

    def copy_datasets(self):
        store = opened(self.place)
        names = {name for dataset in (*DATASETS, "runs") for name in store.names(f"{dataset}/")}
        strange = sorted(name for name in names if not FILE.match(name))
        if strange:
            self.failures.append(f"{len(strange)} names that are no finished files: {strange[:3]}")
        Mirror(store, self.folder / "mirror").fetch(sorted(names - set(strange)))

    def ask_oracle(self):
        self.journal = self.figures("journal.json")
        steps = {int(partition): logs.wall_steps(chain) for partition, chain in self.journal["chains"].items()}
        self.wall_steps = sum(map(len, steps.values()))
        (self.folder / "expected").mkdir()
        self.tallies = oracle.expected(self.source.place, self.chosen.partitions, fleet.RULES, steps, self.folder / "expected")

    def judge(self):
        verdict, self.found = judge.compare(
            self.folder / "expected", self.folder / "mirror", self.folder / "models", self.tallies, fleet.RULES["window"], self.journal["chains"], fleet.NEVER_LATE
        )
        sent = {int(partition): number for partition, number in self.figures("produced.json")["partitions"].items()}
        for partition, tally in self.tallies.items():
            less, more = max(sent.get(partition, 0) - tally["records"], 0), max(tally["records"] - sent.get(partition, 0), 0)
            verdict.find(less, f"records of partition {partition} were sent but are not in the topic", "lost")
            verdict.find(0 if self.source.may_repeat else more, f"records of partition {partition} are in the topic more often than they were sent")
        self.verdict = verdict
        self.failures += verdict.problems + self.journal["problems"]
        reads = self.figures("reads.json")
        self.failures += reads.get("problems", ["nobody has read"])
        if reads.get("duplicates"):
            self.failures.append(f"a reader has seen {reads['duplicates']} duplicates")
        if self.control:
            self.beyond_rights = int(self.control.say("forbidden"))
            if self.beyond_rights:
                self.failures.append(f"{self.beyond_rights} requests to datasets did more than read, list and create")
        self.failures += [f"the schedule was not kept: {short}" for short in self.conductor.shortfall()]
        bad, self.errors = workers.look_through(self.folder / "workers")
        self.failures += bad

    def clean_up(self):
        start.end_now(self.workers, self.children)
        for process in self.helpers:
            if process.is_alive():
                process.kill()
                process.join()
        start.end_now((), servers=self.servers)
