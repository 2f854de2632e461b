"""What docs/local-stack.md promises of the local stack, asked as a newcomer would: by published ports and by the commands of the page."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import compose

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "local-stack.md").read_text()
ROWS_SECONDS = 120


def get(url, timeout=5):
    """(status, body); 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except OSError as error:
        return 0, str(error)


def metric(port, name):
    _, text = get(f"http://localhost:{port}/metrics")
    found = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(rf"{name}(?:\{{|\s)", line)]
    return sum(found) if found else None


class Promises:
    """Of a walk that is up: `order`, `document`, `engine`, `folder`, `check`, `say`."""

    def ours(self, verb):
        return [one for one in self.engine.containers if one.service.is_built and one.service.command[:1] == [verb]]

    def port(self, container, inner):
        return next((outer for outer, port in container.service.published(container.replica) if port == inner), None)

    def look_around(self):
        with self.check("every address of the guide is published"):
            told = {int(number) for number in re.findall(r"localhost:(\d+)", GUIDE)}
            # Of all profiles: the guide is for all of them.
            raw = {name: compose.Service(name, one, ROOT) for name, one in compose.interpolated(self.document["services"], {}).items()}
            published = {outer for one in raw.values() for replica in range(one.replicas) for outer, _ in one.published(replica)}
            assert told <= published, f"not published: {told - published}"
        services = self.ours("run")
        assert services
        with self.check("rows appear, read by the commands of the guide"):
            self.read_rows()
        for container in services:
            port = self.port(container, 9464)
            with self.check(f"{container.name} answers on localhost:{port}: /metrics, /livez, /readyz"):
                for path in ("/metrics", "/livez", "/readyz"):
                    status, text = get(f"http://localhost:{port}{path}")
                    assert status == 200, f"{path}: {status} {text[:300]}"
            if page := self.port(container, 9465):
                with self.check(f"{container.name} shows its page on localhost:{page}"):
                    status, text = get(f"http://localhost:{page}/")
                    assert status == 200 and "<html" in text.lower(), f"{status} {text[:300]}"
        with self.check("the simulator sends on"):
            begun = self.in_topic()
            time.sleep(3)
            assert self.in_topic() > begun, f"{begun} records, and no more"
        with self.check("partitions are shared by the instances"):
            self.await_shares(services)
        with self.check("privileges, users and roots are as the file says"):
            self.look_at_rights()
        self.ask_prometheus(services)
        self.read_grafana()

    def read_rows(self):
        """The guide's own lines, between those that prepare and stop the services."""
        block = next(text for text in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) if "blobs.py" in text)
        lines = [line for line in block.splitlines() if line.startswith("$ATALAIA_TEST_PYTHON")]
        assert len(lines) == 2, block
        scored = self.folder / "scored"
        environment = {**os.environ, "ATALAIA_TEST_PYTHON": f"{sys.executable} -B -W ignore"}
        deadline, said = time.monotonic() + ROWS_SECONDS, ""
        begun = time.monotonic()
        while time.monotonic() < deadline:
            said = ""
            for line in lines:
                done = subprocess.run(["bash", "-c", line.replace("/tmp/scored", str(scored))], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                said += done.stdout
            if done.returncode == 0 and "device" in done.stdout:
                self.say(f"rows after {time.monotonic() - begun:.0f} s")
                return
            time.sleep(2)
        raise AssertionError(f"no rows within {ROWS_SECONDS} s: {said[-1500:]}")

    def broker(self):
        """By the door for this machine, with the client that any newcomer has."""
        outer = self.port(self.containers("kafka")[0], 29092)
        return f"localhost:{outer}"

    def in_topic(self):
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer({"bootstrap.servers": self.broker(), "group.id": "newcomer", "broker.address.family": "v4"})
        partitions = consumer.list_topics("readings", 15).topics["readings"].partitions
        assert len(partitions) == 8, f"{len(partitions)} partitions"
        total = sum(consumer.get_watermark_offsets(TopicPartition("readings", one), 15)[1] for one in partitions)
        consumer.close()
        return total

    def await_shares(self, services):
        deadline = time.monotonic() + 60
        while True:
            shares = [metric(self.port(one, 9464), "atalaia_ingest_partitions_assigned") for one in services]
            if sum(share or 0 for share in shares) == 8 and all(shares):
                self.say(f"shares: {[int(share) for share in shares]}")
                return
            assert time.monotonic() < deadline, f"shares of 8 partitions: {shares}"
            time.sleep(1)

    def look_at_rights(self):
        for container in self.engine.containers:
            if not container.is_running():
                continue
            status = Path(f"/proc/{container.process.pid}/status").read_text()
            facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            assert int(facts["Uid"].split()[0]) == container.image.user, f"{container.name} runs as {facts['Uid']}"
            assert not container.service.drops_all or int(facts["CapEff"], 16) == 0, f"{container.name} has capabilities {facts['CapEff']}"
            assert not container.service.gains_none or facts["NoNewPrivs"].strip() == "1", f"{container.name} can gain privileges"
            root = next(line.split() for line in Path(f"/proc/{container.process.pid}/mountinfo").read_text().splitlines() if line.split()[4] == "/")
            is_read_only = "ro" in (*root[5].split(","), *root[-1].split(","))
            assert is_read_only == container.service.is_read_only, f"{container.name}: {root}"

    def ask_prometheus(self, services):
        if not self.containers("prometheus"):
            return
        outer = self.port(self.containers("prometheus")[0], 9090)
        ask = lambda path: json.loads(get(f"http://localhost:{outer}/api/v1/{path}")[1])["data"]  # noqa: E731
        with self.check(f"Prometheus finds {len(services)} of Atalaia, all up"):
            deadline = time.monotonic() + 60
            while True:
                targets = [one for one in ask("targets")["activeTargets"] if one["labels"]["job"] == "atalaia"]
                if len(targets) == len(services) and all(one["health"] == "up" for one in targets):
                    break
                assert time.monotonic() < deadline, json.dumps(targets, indent=1)[:2000]
                time.sleep(1)
        with self.check("Prometheus has figures of it"):
            deadline = time.monotonic() + 30
            while not (found := ask("query?query=sum(atalaia_ingest_records_total)")["result"]) or float(found[0]["value"][1]) == 0:
                assert time.monotonic() < deadline, found
                time.sleep(1)
        files = compose.yaml_loader().safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text()).get("rule_files", [])
        written = sorted(path for pattern in files for path in (ROOT / "deploy/prometheus").glob(pattern))
        if files:
            with self.check("Prometheus has loaded every rule, and none fails"):
                assert written, f"{files} name no file"
                wanted = {group["name"]: len(group["rules"]) for path in written for group in compose.yaml_loader().safe_load(path.read_text())["groups"]}
                groups = ask("rules")["groups"]
                assert {group["name"]: len(group["rules"]) for group in groups} == wanted, f"{[group['name'] for group in groups]} of {list(wanted)}"
                bad = [rule["name"] + ": " + rule.get("lastError", "") for group in groups for rule in group["rules"] if rule["health"] == "err"]
                assert not bad, bad

    def read_grafana(self):
        """Its files lead to what is there."""
        grafana = next((one for one in self.order if one.name == "grafana"), None)
        if grafana is None:
            return
        with self.check("Grafana's files fit together"):
            places = {place: source for source, place, _ in grafana.mounts if isinstance(source, Path)}
            load = compose.yaml_loader().safe_load
            provisioning = places["/etc/grafana/provisioning"]
            home = grafana.environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
            sources = [one for path in (provisioning / "datasources").glob("*.y*ml") for one in load(path.read_text())["datasources"]]
            for source in sources:
                host, port = re.fullmatch(r"http://([\w-]+):(\d+)", source["url"]).groups()
                named = [one for one in self.engine.containers if host in one.service.names]
                assert named, f"no service is called {host}"
                # As Grafana would reach it: by its name, inside.
                status, said = named[0].run_inside(["wget", "-q", "-O", "-", f"{source['url']}/api/v1/labels"])
                assert status == 0 and '"success"' in said, said[:300]
            dashboards = []
            for path in (provisioning / "dashboards").glob("*.y*ml"):
                for provider in load(path.read_text())["providers"]:
                    inside = provider["options"]["path"]
                    assert inside in places, f"{inside} is not mounted"
                    dashboards += [f"{inside}/{one.relative_to(places[inside]).as_posix()}" for one in places[inside].rglob("*.json")]
                    for one in places[inside].rglob("*.json"):
                        used = set(re.findall(r'"uid":\s*"([^"$]+)"', one.read_text())) & {"prometheus"}
                        assert json.loads(one.read_text())["title"] and used <= {source["uid"] for source in sources}, one
            assert home in dashboards, f"the home page {home} is none of {dashboards}"
