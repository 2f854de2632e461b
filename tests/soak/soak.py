"""The course of a soak: start the parts, find the peak, run at a share of it while models change and an instance restarts, drain, judge."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import models
import sample
import verdict
from plan import CLOSE_AFTER_S, Plan
from stage import SESSION_SECONDS, Stage

# Of tests/chaos.
import judge
import logs
import store
import workers

FREE_BYTES_MIN = 5 << 30
# Beyond it, silence would close windows that the plan holds open; and a machine that far behind measures nothing.
DELAY_SECONDS_MAX = CLOSE_AFTER_S / 2
FINAL_SECONDS_MAX = 1200
FLOOD_LEAD_RECORDS = 1_500_000
FLOOD_PAST_MS = 12 * 3_600_000


class Soak(Stage):
    def __init__(self, *parts):
        super().__init__(*parts)
        self.samples, self.restarts, self.figures, self.peak = [], [], {}, None
        self.audit, self.caught_up, self.stopped_early = {}, None, False

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
