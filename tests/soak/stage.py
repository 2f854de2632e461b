"""The parts of a soak: broker, store, models, instances and fleet, each started and ended by one call. What happens when is in soak.py."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import models
from plan import OUT_OF_ORDERNESS_S

HERE = Path(__file__).resolve().parent
sys.path.insert(1, str(HERE.parent / "chaos"))
import start  # noqa: E402
import store  # noqa: E402
import workers  # noqa: E402

TEMPLATE = "model_{device}_{sensor}"
SESSION_SECONDS = 6


class Place:
    """What `workers.Worker` asks of a source: each instance has a port of its own for its figures."""

    sends_away = "took the instance id"

    def __init__(self, ports):
        self.ports = ports

    def arguments(self, number):
        return ["--set", f"telemetry.metrics=127.0.0.1:{self.ports[number]}"] if number in self.ports else ["--set", "telemetry.metrics=off"]

    def environment(self):
        return {}


class Stage:
    def __init__(self, services, homes, chosen, binary):
        self.services, self.homes, self.chosen, self.binary = services, homes, chosen, binary.resolve()
        if chosen.out:
            chosen.out.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="soak-", dir=chosen.out)).resolve()
        self.begun, self.problems, self.remarks = time.monotonic(), [], []
        self.servers, self.workers, self.children = [], [], []
        self.sets, self.published, self.load_told = {}, 0, {}

    def say(self, text):
        print(f"soak: {time.monotonic() - self.begun:7.1f} s  {text}", file=sys.stderr, flush=True)

    def start_services(self):
        properties = ["log.retention.check.interval.ms=5000", "group.initial.rebalance.delay.ms=500"]
        self.kafka = self.services.Kafka(self.homes["kafka"], self.folder / "kafka", 1, properties)
        self.servers = [self.kafka]
        if self.chosen.store == "azurite":
            self.azurite = self.services.Azurite(self.homes["azurite"], self.folder / "azurite")
            self.servers.append(self.azurite)
        for server in self.servers:
            server.start(detached=False)
        for server in self.servers:
            server.wait_ready()
        self.brokers = f"127.0.0.1:{self.kafka.port}"
        self.place = ["folder", str(self.folder / "store")]
        self.url = self.place[1]
        if self.chosen.store == "azurite":
            self.place, self.url = ["blobs", f"http://127.0.0.1:{self.azurite.port}", "soak"], "az://soak/"
        store.opened(self.place).create()

    def make_topic(self, name):
        """Bounded by size, whatever is read: the disk must not fill up."""
        from confluent_kafka.admin import AdminClient, NewTopic

        size = max(int(self.chosen.retention_mib * 2**20 / self.chosen.partitions), 4 << 20)
        config = {"retention.ms": "-1", "retention.bytes": str(size), "segment.bytes": str(max(size // 8, 1 << 20)), "file.delete.delay.ms": "1000"}
        # The probe's records say that they were made hours ago.
        config |= {"message.timestamp.before.max.ms": str(2**63 - 1)}
        admin = AdminClient({"bootstrap.servers": self.brokers})
        admin.create_topics([NewTopic(name, self.chosen.partitions, 1, config=config)])[name].result(60)

    def delete_topic(self, name):
        from confluent_kafka.admin import AdminClient

        admin = AdminClient({"bootstrap.servers": self.brokers})
        admin.delete_topics([name])[name].result(60)

    def configuration(self, name, close_after, registry):
        value = {
            "pipeline": name,
            "ingest": {
                "source": "kafka", "decode": {"time_unit": "ms"},
                "kafka": {"brokers": self.brokers, "topic": name, "group": name,
                          "properties": {"session.timeout.ms": str(SESSION_SECONDS * 1000), "heartbeat.interval.ms": "1500"}},
            },
            "aggregate": {"window": f"{self.chosen.window:g}s", "out_of_orderness": f"{OUT_OF_ORDERNESS_S}s", "close_after": close_after},
            "score": {"models": str(registry), "poll_interval": "5s"},
            "sink": {"url": self.url.rstrip("/") + f"/{name}", "commit_interval": "10s", "max_delay": "30s"},
            "run": {"workers": self.chosen.workers},
        }  # fmt: skip
        if self.chosen.store == "azurite":
            value["storage"] = {"emulator": True, "endpoint": f"http://127.0.0.1:{self.azurite.port}"}
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(value, indent=1))
        return path

    def plan(self, rate, start_ms):
        chosen = self.chosen
        return {"devices": chosen.devices, "sensors": chosen.sensors, "partitions": chosen.partitions, "rate": rate, "window_s": chosen.window, "start_ms": start_ms}

    def make_models(self):
        (self.folder / "models").mkdir()
        command = [sys.executable, "-B", HERE / "models.py", self.folder / "models", json.dumps(self.plan(1e6, 0)), str(self.chosen.models)]
        subprocess.run(command, check=True)
        self.registry = self.folder / "registry"
        self.publish()

    def publish(self):
        """The other set; both are told apart by their decisions."""
        name = list(models.SETS)[self.published % len(models.SETS)]
        command = [self.binary, "models", "publish", "--from", self.folder / "models" / name, "--to", self.registry, "--template", TEMPLATE, "--format", "json"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.sets[json.loads(done.stdout)["set"]] = name
        self.published += 1

    def start_instances(self, config, folder):
        self.ports = dict(enumerate(self.services.free_ports(self.chosen.instances)))
        place = Place(self.ports)
        self.make_worker = lambda number: workers.Worker(number, self.binary, config, self.folder / folder, self.services.die_with_parent, place)
        self.workers = [self.make_worker(number) for number in self.ports]
        for worker in self.workers:
            worker.start()

    def start_load(self, name, plan, flood):
        settings = self.folder / f"load-{name}.json"
        settings.write_text(json.dumps({"plan": plan, "address": self.brokers, "topic": name, "flood": flood}))
        self.progress, self.load_told = self.folder / f"sent-{name}.json", {}
        with open(self.folder / f"load-{name}.log", "wb") as log:
            command = [sys.executable, "-B", HERE / "load.py", settings, self.progress]
            load = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, preexec_fn=self.services.die_with_parent)
        self.children.append(load)
        return load

    def sent(self):
        try:
            self.load_told = json.loads(self.progress.read_text())
        except (OSError, ValueError):
            pass
        return self.load_told

    def end_load(self, load):
        load.stdin.close()
        if load.wait(120) != 0:
            self.problems.append(f"the fleet failed: {next(self.folder.glob('load-*.log')).read_text()[-2000:]}")
        return self.sent()

    def clean_up(self):
        start.end_now(self.workers, self.children, self.servers)
