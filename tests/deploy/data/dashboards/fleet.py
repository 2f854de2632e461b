"""A small fleet in operation, and a Prometheus that watches it: what tests/deploy/dashboards looks at.

Everything is on free ports of 127.0.0.1 and in one temp folder; what was started is ended by its id.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
# 20 devices have models, four more do not.
DEVICES, ALL_DEVICES, PARTITIONS = 20, 24, 4

PIPELINE = """
pipeline = "watched"
[ingest]
source = "kafka"
[ingest.kafka]
brokers = "{kafka}"
topic = "readings"
group = "watched"
[aggregate]
window = "5s"
out_of_orderness = "1s"
close_after = "10s"
[score]
models = "az://{container}/models"
key = "series"
features = ["mean"]
poll_interval = "2s"
[sink]
url = "az://{container}/"
commit_interval = "1s"
max_delay = "2s"
[storage]
emulator = true
endpoint = "{azurite}"
[run]
workers = 2
[forward.webhook]
url = "{hook}"
"""

PROMETHEUS = """
global: {{ scrape_interval: {seconds}s, evaluation_interval: {seconds}s }}
rule_files: ["{rules}/*.yml"]
scrape_configs:
  - job_name: atalaia
    file_sd_configs: [{{ files: ["{targets}"], refresh_interval: 1s }}]
"""


class Hook(BaseHTTPRequestHandler):
    """Takes anomalies, and does nothing with them."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Fleet:
    scrape_seconds = 2

    def __init__(self, folder, binary, rules):
        self.folder, self.binary = folder, binary
        self.processes, self.instances = [], {}
        self.prometheus = f"127.0.0.1:{free_port()}"
        self.kafka, self.azurite = os.environ["ATALAIA_TEST_KAFKA"], os.environ["ATALAIA_TEST_AZURITE"]
        container = f"watched-{os.getpid()}"
        blobs = [os.environ["ATALAIA_TEST_PYTHON"], "-B", ROOT / "tests/services/blobs.py", "create", self.azurite, container]
        subprocess.run(blobs, check=True, stdout=subprocess.DEVNULL)
        self.hook = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        threading.Thread(target=self.hook.serve_forever, daemon=True).start()
        hook = f"http://127.0.0.1:{self.hook.server_port}/anomalies"
        pipeline = PIPELINE.format(kafka=self.kafka, container=container, azurite=self.azurite, hook=hook)
        self.config = self.written("pipeline.toml", pipeline)
        self.registry = f"az://{container}/models"
        self.targets = self.written("targets.json", "[]")
        text = PROMETHEUS.format(seconds=self.scrape_seconds, rules=rules, targets=self.targets)
        config = self.written("prometheus.yml", text)
        self.start("prometheus", [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address={self.prometheus}", "--log.level=warn",
        ])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        self.hook.shutdown()

    def lives_through_a_day(self):
        """In two minutes: history, models, readings, a second instance, newer models."""
        self.simulates("history", "--devices", DEVICES, "--out", self.folder / "history", "--duration", "10m", "--interval", "250ms",
                       "--clean-lead", "10m", "--start", stamp(-900)).wait()
        self.trains(seed=0)
        live = ["--devices", ALL_DEVICES, "--kafka", self.kafka, "--topic", "readings", "--clean-lead", "5s", "--fault-every", "60s", "--faulty", "1"]
        self.simulates("live", *live, "--endless", "--rate", "400", "--malformed", "0.002")
        self.runs("a")
        self.waits(lambda: self.value("sum(atalaia_sink_rows_total)"), "rows of the first instance are durable")
        self.runs("b")
        self.waits(lambda: self.value("count(sum by (instance) (atalaia_ingest_partitions_assigned) > 0)") == 2, "both instances have partitions")
        # What was read ten minutes ago comes now: its windows are closed.
        self.simulates("late", "--devices", DEVICES, "--kafka", self.kafka, "--topic", "readings", "--duration", "20s", "--start", stamp(-600), "--rate", "200").wait()
        self.trains(seed=1)
        self.waits(lambda: self.value("min(atalaia_score_reloads_total)"), "both instances use the newer models")
        for metric in ("atalaia_aggregate_late_total", "atalaia_score_anomalies_total", 'atalaia_score_rows_total{status="no_model"}', "atalaia_ingest_rejects_total"):
            self.waits(lambda metric=metric: self.value(f"sum({metric})"), f"{metric} has counted something")
        # Long enough for the rates over a minute.
        time.sleep(60)

    # === What it is made of ===

    def simulates(self, name, *words):
        return self.start(name, [self.binary, "simulate", "--seed", 7, "--partitions", PARTITIONS, *words])

    def trains(self, seed):
        words = ["--set", "ingest.source=files", "--set", f"ingest.files.path={self.folder / 'history'}"]
        done = self.start(f"train-{seed}", [self.binary, "train", "-c", self.config, *words, "--to", self.registry, "--seed", seed])
        if done.wait() != 0:
            raise AssertionError(f"no models:\n{self.log(f'train-{seed}')}")

    def runs(self, name):
        address = f"127.0.0.1:{free_port()}"
        self.instances[name] = self.start(name, [self.binary, "run", "-c", self.config, "--set", f"telemetry.metrics={address}"])
        self.scraped = [*getattr(self, "scraped", []), address]
        self.aim(self.scraped)

    def aim(self, addresses):
        """Replaced as a whole, so that Prometheus never reads half a file."""
        fresh = self.written("targets.new", json.dumps([{"targets": addresses}] if addresses else []))
        fresh.replace(self.targets)

    def stops(self):
        """As an orchestrator that scales to zero: the instances end, and are targets no longer."""
        for name, process in self.instances.items():
            process.send_signal(signal.SIGTERM)
            if process.wait(30) != 0:
                raise AssertionError(f"{name} ended badly:\n{self.log(name)}")
        self.aim([])

    def start(self, name, words):
        with open(self.folder / f"{name}.log", "wb") as log:
            process = subprocess.Popen([str(word) for word in words], stdout=log, stderr=log, cwd=self.folder)
        self.processes.append(process)
        return process

    def written(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def log(self, name):
        return "\n".join((self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-30:])

    # === Prometheus ===

    def ask(self, what, **parameters):
        url = f"http://{self.prometheus}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                data = json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error
        return data["result"] if what.startswith("query") else data

    def value(self, query):
        try:
            found = self.ask("query", query=query)
        except (urllib.error.URLError, ConnectionError):
            return None  # it has not started yet
        return float(found[0]["value"][1]) if found else None

    def waits(self, condition, what, seconds=90):
        print(f"      … until {what}", file=sys.stderr, flush=True)
        end = time.monotonic() + seconds
        while not condition():
            dead = [name for name, process in self.instances.items() if process.poll() not in (None, 0)]
            if dead or time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {what}\n" + "\n".join(self.log(name) for name in dead or ["prometheus", *self.instances]))
            time.sleep(0.5)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
