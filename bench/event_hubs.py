#!/usr/bin/env python3
"""How fast is an event hub read, on the emulator of tests/event-hubs?

  python bench/event_hubs.py [EVENTS] [PARTITIONS] [BYTES]     by the Python of scripts/services,      after a release build (`make bench-event-hubs`)

In turns, three times: Atalaia's source that discards, bare receivers of the AMQP library below it, Microsoft's Python client; and the
whole job on a simulated fleet. All on the same emulator in a process of its own, whose share of the processors is printed.
"""

import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
TICKS = os.sysconf("SC_CLK_TCK")


class Emulator:
    def __init__(self, *hubs):
        command = [RELEASE / "event-hubs-emulator", "--accept-jwt", "drain", *(word for hub in hubs for word in ("--hub", hub))]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        facts = json.loads(self.process.stdout.readline())
        self.address, self.connections = facts["address"], facts["connection_strings"]
        host, _, port = facts["control"].rpartition(":")
        self.control = socket.create_connection((host, int(port))).makefile("rw")

    def say(self, command, **facts):
        self.control.write(json.dumps({"do": command, **facts}) + "\n")
        self.control.flush()
        return json.loads(self.control.readline())

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def drain(how, emulator, events, partitions):
    command = [RELEASE / "examples" / "event_hubs_drain", how, emulator.address, str(events), str(partitions)]
    wall, cpu = map(float, subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split())
    return wall, cpu


def python_client(emulator, events, partitions):
    from azure.eventhub import EventHubConsumerClient

    client = EventHubConsumerClient.from_connection_string(emulator.connections["drain"], "$Default")
    seen, lock, done = [0], threading.Lock(), threading.Event()

    def take(_context, batch):
        with lock:
            seen[0] += len(batch)
            if seen[0] >= events:
                done.set()

    def receive(partition):
        client.receive_batch(take, partition_id=str(partition), starting_position="-1", max_batch_size=1000, max_wait_time=5, prefetch=3000)

    before = time.process_time()
    begun = time.monotonic()
    for partition in range(partitions):
        threading.Thread(target=receive, args=(partition,), daemon=True).start()
    done.wait()
    wall, cpu = time.monotonic() - begun, time.process_time() - before
    client.close()
    return wall, cpu


def whole_job(emulator, workers):
    """A day of a fleet, into the hub and out of it as rows."""
    environment = {**os.environ, "EVENT_HUBS_CONNECTION": emulator.connections["fleet"]}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "pipeline.toml"
        config.write_text(
            '[ingest]\nsource = "event-hubs"\n[ingest.event_hubs]\nconnection_string = "env:EVENT_HUBS_CONNECTION"\n'
            f'[aggregate]\nwindow = "5m"\n[sink]\nurl = "{folder}/out"\n[telemetry]\nmetrics = "off"\n[run]\nworkers = {workers}\n'
        )
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        command = [RELEASE / "atalaia", "run", "-c", config, "--until-idle", "--close", "all"]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.monotonic() - begun, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def show(name, runs, events, emulator_cpu):
    rate = statistics.median(events / wall for wall, _ in runs)
    cpu = statistics.median(seconds for _, seconds in runs) / events * 1e6
    print(f"| {name} | {rate / 1e3:,.0f} | {cpu:.2f} | {emulator_cpu / len(runs) / events * 1e6:.2f} |", flush=True)


def main(events=800_000, partitions=4, size=100):
    emulator = Emulator(f"drain:{partitions}", f"fleet:{partitions}")
    try:
        for partition in range(partitions):
            emulator.say("fill", hub="drain", partition=partition, count=events // partitions, bytes=size)
        print(f"{events:,} events of {size} bytes, {partitions} partitions, medians of 3\n")
        print("| reader | thousand events/s | CPU-s per M events | emulator's CPU-s per M |\n|---|---|---|---|")
        contenders = {
            "bare fe2o3-amqp receivers": lambda: drain("bare", emulator, events, partitions),
            "Atalaia's source, discards": lambda: drain("source", emulator, events, partitions),
            "Microsoft's Python client": lambda: python_client(emulator, events, partitions),
        }
        for name, contender in contenders.items():
            before = emulator.cpu_seconds()
            show(name, [contender() for _ in range(3)], events, emulator.cpu_seconds() - before)
        environment = {**os.environ, "EVENT_HUBS_CONNECTION": emulator.connections["fleet"]}
        simulate = [RELEASE / "atalaia", "simulate", "--event-hubs", "env:EVENT_HUBS_CONNECTION", "--devices", "50", "--interval", "30s"]
        subprocess.run(simulate, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        held = sum(one["events"] for one in emulator.say("statistics")["hubs"]["fleet"]["partitions"])
        for workers in (1, 2):
            before = emulator.cpu_seconds()
            show(f"`atalaia run`, {workers} worker{'s' if workers > 1 else ''}, {held:,} readings", [whole_job(emulator, workers) for _ in range(3)], held, emulator.cpu_seconds() - before)
    finally:
        emulator.process.kill()


main(*map(int, sys.argv[1:]))
