"""The course of a soak: start the parts, find the peak, run at a share of it while models change and an instance restarts, drain, judge."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import models
import sample
import verdict
from plan import CLOSE_AFTER_S, OUT_OF_ORDERNESS_S, Plan

HERE = Path(__file__).resolve().parent
sys.path.insert(1, str(HERE.parent / "chaos"))
import judge  # noqa: E402
import logs  # noqa: E402
import store  # noqa: E402
import workers  # noqa: E402

TEMPLATE = "model_{device}_{sensor}"
SESSION_SECONDS = 6
FREE_BYTES_MIN = 5 << 30
# Beyond it, silence would close windows that the plan holds open; and a machine that far behind measures nothing.
DELAY_SECONDS_MAX = CLOSE_AFTER_S / 2
FINAL_SECONDS_MAX = 1200
FLOOD_LEAD_RECORDS = 1_500_000
FLOOD_PAST_MS = 12 * 3_600_000


class Place:
    """What `workers.Worker` asks of a source: each instance has a port of its own for its figures."""

    sends_away = "took the instance id"

    def __init__(self, ports):
        self.ports = ports

    def arguments(self, number):
        return ["--set", f"telemetry.metrics=127.0.0.1:{self.ports[number]}"] if number in self.ports else ["--set", "telemetry.metrics=off"]

    def environment(self):
        return {}


class Soak:
    def __init__(self, services, homes, chosen, binary):
        self.services, self.homes, self.chosen, self.binary = services, homes, chosen, binary.resolve()
        if chosen.out:
            chosen.out.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="soak-", dir=chosen.out)).resolve()
        self.begun, self.problems, self.remarks = time.monotonic(), [], []
        self.servers, self.workers, self.children = [], [], []
        self.samples, self.sets, self.restarts, self.figures, self.peak = [], {}, [], {}, None
        self.published, self.audit, self.caught_up, self.load_told, self.stopped_early = 0, {}, None, {}, False

    def say(self, text):
        print(f"soak: {time.monotonic() - self.begun:7.1f} s  {text}", file=sys.stderr, flush=True)

    # === Parts ===

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

    # === The peak ===

    def find_peak(self):
        """What fleet, broker and instances manage together: the fleet may be ahead by so many records, and no more."""
        self.make_topic("probe")
        config = self.configuration("probe", "2d", self.registry)
        self.start_instances(config, "probe-workers")
        load = self.start_load("probe", self.plan(1e6, int(time.time() * 1000) - FLOOD_PAST_MS), flood=True)
        marks, begun = [], time.monotonic()
        while (since := time.monotonic() - begun) < self.chosen.probe:
            told = [sample.metrics(port) for port in self.ports.values()]
            read = sum(sum(one.get("atalaia_ingest_records_total", [])) for one in told if one)
            marks.append((time.monotonic(), read))
            load.stdin.write(b"%d\n" % (read + FLOOD_LEAD_RECORDS))
            load.stdin.flush()
            if self.watch():
                return
            time.sleep(max(0.1, 0.2 - (time.monotonic() - begun - since)))
        self.end_load(load)
        first = next((mark for mark in marks if mark[0] - begun > self.chosen.probe / 3), marks[0])
        self.peak = (marks[-1][1] - first[1]) / (marks[-1][0] - first[0])
        self.say(f"together they manage {self.peak:,.0f} records/s")
        for worker in self.workers:
            worker.kill()
        self.workers = []
        self.delete_topic("probe")
        if self.chosen.store == "local":
            shutil.rmtree(self.folder / "store" / "probe", ignore_errors=True)
        if not self.peak:
            self.problems.append("nothing was read while the peak was looked for")

    # === The course ===

    def run(self):
        chosen = self.chosen
        self.say(f"{self.binary}, everything below {self.folder}")
        self.start_services()
        self.make_models()
        if not chosen.rate:
            self.find_peak()
            if self.problems:
                return
            chosen.rate = self.peak * chosen.share
        self.make_topic("soak")
        config = self.configuration("soak", f"{CLOSE_AFTER_S}s", self.registry)
        self.start_instances(config, "workers")
        arguments = self.plan(chosen.rate, int(time.time() * 1000) + 1000)
        plan = Plan(**arguments)
        load = self.start_load("soak", arguments, flood=False)
        self.say(f"{chosen.minutes:g} minutes at {chosen.rate:,.0f} records/s of {plan.series} series")
        self.keep_going(load)
        sent = self.end_load(load)
        self.drain(config)
        if not self.hard_failures():
            self.judge(config, plan, sent)

    def keep_going(self, load):
        """Samples, reloads and restarts by the clock, until the time is over or a guard stops it."""
        chosen, begun = self.chosen, time.monotonic()
        due = {"sample": 0.0, "reload": chosen.reload_every, "restart": chosen.restart_every * 60, "tell": 60.0}
        returns = None
        with open(self.folder / "samples.jsonl", "w") as self.record:
            while (since := time.monotonic() - begun) < chosen.minutes * 60:
                if since >= due["sample"]:
                    due["sample"] += chosen.sample_every
                    self.take_samples(since)
                if since >= due["reload"]:
                    due["reload"] += chosen.reload_every
                    self.publish()
                # Not in the last minutes: they show whether lag is worked off.
                if since >= due["restart"] and since < chosen.minutes * 60 - 4 * SESSION_SECONDS:
                    due["restart"] += chosen.restart_every * 60
                    returns = self.take_one_away(since)
                if returns and since >= returns and self.workers[-1].process is None:
                    self.workers[-1].start()
                    returns = None
                if since >= due["tell"]:
                    due["tell"] += 60.0
                    self.tell()
                if self.watch() or self.is_to_stop(load):
                    return
                time.sleep(0.1)
            self.take_samples(since)

    def take_one_away(self, since):
        """The last instance goes, by a kill and by a signal in turns; the first one lives through it all, so that its memory tells."""
        worker, how = self.workers[-1], ("kill", "terminate")[len(self.restarts) % 2]
        if not worker.is_free():
            self.remarks.append(f"no restart after {since:.0f} s: the instance was not running")
            return None
        worker.kill() if how == "kill" else worker.leave()
        self.restarts.append({"at": round(since, 1), "how": how})
        return since + 1

    def watch(self):
        for worker in self.workers:
            if failure := worker.failure():
                self.problems.append(failure)
        return self.hard_failures()

    def hard_failures(self):
        return bool(self.problems)

    def is_to_stop(self, load):
        sent = self.sent()
        free = shutil.disk_usage(self.folder).free
        if free < FREE_BYTES_MIN:
            self.remarks.append("stopped early: less than 5 GB of disk are free")
        elif sent.get("delay_max", 0) > DELAY_SECONDS_MAX:
            self.remarks.append(f"stopped early: the fleet is {sent['delay']:.0f} s behind, so the machine cannot hold this rate")
        elif load.poll() is not None:
            self.problems.append("the fleet ended by itself")
        else:
            return False
        self.stopped_early = True
        return True

    def take_samples(self, since):
        for worker in self.workers:
            if one := sample.of_instance(worker, self.ports[worker.number], worker.lives, since):
                one["sent"] = self.sent().get("records", 0)
                self.samples.append(one)
                self.record.write(json.dumps(one) + "\n")
        self.record.flush()

    def tell(self):
        last = {one["instance"]: one for one in self.samples[-8:]}
        lag = sum(one["lag_records"] for one in last.values())
        memory = ", ".join(f"{one['rss'] / 2**20:.0f} MiB {one['fds']} fds" for one in last.values())
        free = shutil.disk_usage(self.folder).free / 2**30
        self.say(f"{self.load_told.get('records', 0):,} sent, lag {lag:,.0f}; {memory}; {len(self.restarts)} restarts, {self.published} sets; {free:.0f} GiB free")

    # === The end ===

    def drain(self, config):
        """First the lag, then the instances, then what is still open."""
        begun = time.monotonic()
        if self.workers[-1].process is None and not self.hard_failures():
            self.workers[-1].start()
        while time.monotonic() - begun < 120 and not self.watch():
            told = [sample.metrics(port) for port in self.ports.values()]
            if all(told) and not sum(sum(one.get("atalaia_ingest_lag_records", [])) for one in told):
                self.caught_up = round(time.monotonic() - begun, 1)
                break
            time.sleep(0.5)
        for worker in self.workers:
            if worker.is_free():
                worker.leave()
        while any(worker.is_running() for worker in self.workers) and not self.watch():
            time.sleep(0.1)
        if self.watch():
            return
        self.say(f"caught up after {self.caught_up} s; closing what is open")
        last = self.make_worker(98)
        self.workers.append(last)
        last.start("--until-idle", "--close", "all")
        try:
            if last.process.wait(FINAL_SECONDS_MAX) != 0:
                self.problems.append(f"the last run failed: {last.log()}")
        except subprocess.TimeoutExpired:
            self.problems.append(f"the last run does not become idle: {last.log()}")

    def judge(self, config, plan, sent):
        self.say("judging")
        steps, self.problems = sent["steps"], self.problems + sample.judge_samples(self.samples)
        audit = subprocess.run([self.binary, "state", "audit", "-c", config, "--format", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        (self.folder / "audit.json").write_text(audit.stdout)
        if audit.returncode:
            self.problems.append(f"`state audit` ends with {audit.returncode}: {(audit.stdout + audit.stderr)[-2000:]}")
        self.audit = json.loads(audit.stdout) if audit.stdout.strip() else {}
        got, chains = self.fetch()
        tallies = {partition: plan.tally(partition, steps) for partition in range(plan.partitions)}
        for partition, number in enumerate(sent["partitions"]):
            if number != tallies[partition]["records"]:
                self.problems.append(f"the fleet has sent {number} records into partition {partition}; by the plan {tallies[partition]['records']}")
        books = judge.Verdict()
        judge.ledgers(books, chains, tallies)
        self.problems += books.problems
        if len(chains) != plan.partitions:
            self.problems.append(f"{len(chains)} of {plan.partitions} partitions have a log")
        found, self.figures = verdict.compare(got, self.folder, plan, steps, self.wanted(plan), self.folder / "models", self.sets)
        self.problems += found
        bad, errors = workers.look_through(self.folder / "workers")
        self.problems += bad
        self.figures["error_lines"] = errors
        # A set that is in use for a few windows is seen in rows; of those that come quicker some are passed over.
        is_slow = self.chosen.reload_every >= 2 * self.chosen.window + 10
        if is_slow and self.figures.get("sets_seen", 0) < 0.8 * (self.published - 1):
            self.problems.append(f"rows name {self.figures.get('sets_seen', 0)} of {self.published} sets of models")

    def wanted(self, plan):
        """Series to look at value by value: all kinds of device, with models and without."""
        with_models = models.chosen(plan, self.chosen.models)
        picked = with_models[:: max(len(with_models) // 8, 1)]
        for partition in range(0, plan.partitions, max(plan.partitions // 4, 1)):
            number = plan.of_partition(partition)
            picked += [(partition, at) for at in {3, 1, 0, number - 1, number // 2} if at < number]
        return sorted(set(picked))

    def fetch(self):
        """A folder with the datasets, and the head of each partition's log."""
        place = store.opened(self.place)
        names = place.names("soak/")
        heads = {}
        for name in names:
            if match := logs.RECORD.search(name):
                partition, seq = map(int, match.groups())
                heads[partition] = max(heads.get(partition, (-1, "")), (seq, name))
        # The chain of one: its books hold all that was before.
        chains = {partition: [logs.header_of(place.read(name))] for partition, (_, name) in sorted(heads.items())}
        if self.place[0] == "folder":
            return Path(self.place[1]) / "soak", chains
        datasets = [name for name in names if name.split("/")[1] in store.DATASETS and name.endswith(".parquet")]
        store.Mirror(place, self.folder / "mirror").fetch(datasets)
        return self.folder / "mirror" / "soak", chains

    def clean_up(self):
        for worker in self.workers:
            if worker.is_running():
                worker.kill()
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()
        for server in self.servers:
            if server.process and server.process.poll() is None:
                server.process.kill()
                server.process.wait()
