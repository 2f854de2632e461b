"""Event Hubs as what records come through: the emulator of tests/event-hubs, which is killed, drops connections, steals
links, throttles, and forgets tokens; written and read by Microsoft's own client."""

import asyncio
import json
import queue
import socket
import threading
import time

from store import opened

REST_SECONDS = 8
CONDITIONS = ("amqp:internal-error", "com.microsoft:timeout", "com.microsoft:server-busy", "amqp:link:detach-forced")
SEND_AT = 100
SEND_SECONDS = 0.5


class Hubs:
    """An emulator that keeps its events on disk, and one hub in it."""

    # Times a minute, and at least so many in a run.
    rates = {
        "hub_kill": (0.3, 1),
        "drop": (1, 1),
        "half_open": (0.3, 1),
        "steal": (1, 1),
        "detach": (0.7, 1),
        "end": (0.5, 1),
        "throttle": (0.4, 1),
        "expire_tokens": (0.5, 1),
        "refuse_tokens": (0.2, 1),
    }
    counted = {"hub_kills": "hub_kill", "drops": "drop", "half_open": "half_open", "steals": "steal", "detaches": "detach", "ended": "end",
               "throttlings": "throttle", "expired_tokens": "expire_tokens", "refused_tokens": "refuse_tokens"}  # fmt: skip
    # A worker whose very first token is refused takes its key for a wrong one.
    sends_away = "Tokens are refused for now"
    # A batch whose answer is lost is sent again, and the service does not know it again.
    may_repeat = True

    def __init__(self, services, _homes, chosen, binary):
        if chosen.store != "azurite":
            raise SystemExit("chaos: --source event-hubs needs --store azurite: instances share partitions by notes in blobs")
        self.services, self.chosen = services, chosen
        self.program = binary.parent / "event-hubs-emulator"
        if not self.program.exists():
            raise SystemExit(f"chaos: there is no {self.program}: `cargo build -p atalaia-event-hubs-emulator`, as the binary was built")
        self.rest = 0.0

    def servers(self, folder):
        self.server = self.services.Server("event-hubs", None, folder / "event-hubs")
        self.port, self.control = self.services.free_ports(2)
        self.server.port = self.port
        self.server.start = lambda detached: self.launch()
        self.server.ready = lambda: self.services.accepts(self.port) and self.services.accepts(self.control)
        return [self.server]

    def launch(self):
        hub = f"readings:{self.chosen.partitions}"
        data = self.server.data / "events"
        data.mkdir(parents=True, exist_ok=True)
        listen = ["--listen", f"127.0.0.1:{self.port}", "--control", f"127.0.0.1:{self.control}"]
        self.server.spawn([self.program, "--hub", hub, *listen, "--data", data], False)

    def open(self, topic):
        """Once the servers are ready."""
        connection = f"Endpoint=sb://127.0.0.1:{self.port};SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;"
        self.place = {"kind": "event-hubs", "connection": f"{connection}EntityPath={topic};UseDevelopmentEmulator=true;", "hub": topic}

    def configuration(self, storage):
        """The lines of [ingest]; claims run out soon, so that partitions of the killed are taken over."""
        opened([*storage[:-1], "checkpoints"]).create()
        return [
            'source = "event-hubs"',
            "[ingest.event_hubs]",
            'connection_string = "env:EVENT_HUBS_CONNECTION"',
            "[ingest.event_hubs.ownership]",
            'url = "az://checkpoints"',
            'strategy = "greedy"',
            'renew_interval = "2s"',
            'expiry = "8s"',
        ]

    def environment(self):
        return {"EVENT_HUBS_CONNECTION": self.place["connection"]}

    def arguments(self, _number):
        return []

    # === The faults ===

    def say(self, command, **facts):
        with socket.create_connection(("127.0.0.1", self.control), timeout=10) as channel:
            lines = channel.makefile("rw")
            lines.write(json.dumps({"do": command, **facts}) + "\n")
            lines.flush()
            answer = json.loads(lines.readline())
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(f"the emulator answers `{answer['error']}` to {command} {facts}")
        return answer

    def is_up(self):
        return time.monotonic() > self.rest

    def ask(self, conductor, kind, text, command, **facts):
        """One command, unless the emulator is down just now."""
        if not self.is_up():
            return False
        self.say(command, **facts)
        conductor.count(kind, text)
        return True

    def reader(self, conductor):
        """The number of a connection that reads."""
        partitions = self.say("statistics")["hubs"][self.place["hub"]]["partitions"]
        reading = sorted({reader["connection"] for partition in partitions for reader in partition["readers"] if reader["connection"]})
        return conductor.random.choice(reading) if reading else None

    def hub_kill(self, conductor):
        if not self.is_up():
            return False
        self.rest = time.monotonic() + 3600
        self.server.process.kill()
        self.server.process.wait()
        conductor.count("hub_kill", "the emulator killed")
        conductor.after(conductor.random.uniform(1, 6), self.restart, conductor)
        return True

    def restart(self, conductor):
        self.launch()
        self.server.wait_ready()
        self.rest = time.monotonic() + REST_SECONDS
        conductor.note("the emulator is back")

    def drop(self, conductor):
        if not self.is_up():
            return False
        connection = self.reader(conductor) if conductor.random.random() < 0.7 else None
        return self.ask(conductor, "drop", f"connection {connection or 'of everybody'} dropped", "drop", connection=connection)

    def half_open(self, conductor):
        if not self.is_up() or (connection := self.reader(conductor)) is None:
            return False
        return self.ask(conductor, "half_open", f"connection {connection} silent", "half-open", connection=connection)

    def steal(self, conductor):
        partition = conductor.random.randrange(self.chosen.partitions)
        seconds = conductor.random.uniform(0, 3)
        return self.ask(conductor, "steal", f"partition {partition} stolen for {seconds:.1f} s", "steal", hub=self.place["hub"], partition=partition, seconds=seconds)

    def detach(self, conductor):
        condition = conductor.random.choice(CONDITIONS)
        partition = conductor.random.randrange(self.chosen.partitions)
        return self.ask(conductor, "detach", f"links of partition {partition} detached: {condition}", "detach", hub=self.place["hub"],
                        partition=partition, links="consumers", condition=condition)  # fmt: skip

    def end(self, conductor):
        # Microsoft's Python client, which sends here, waits for ever when its session is ended.
        if not self.is_up() or (connection := self.reader(conductor)) is None:
            return False
        condition = conductor.random.choice((None, *CONDITIONS))
        return self.ask(conductor, "end", f"sessions of connection {connection} ended: {condition or 'without an error'}", "end",
                        connection=connection, condition=condition)  # fmt: skip

    def throttle(self, conductor):
        seconds = conductor.random.uniform(2, 8)
        return self.ask(conductor, "throttle", f"throttled for {seconds:.1f} s", "throttle", seconds=seconds)

    def expire_tokens(self, conductor):
        return self.ask(conductor, "expire_tokens", "tokens expired", "expire-tokens")

    def refuse_tokens(self, conductor):
        seconds = conductor.random.uniform(1, 5)
        return self.ask(conductor, "refuse_tokens", f"tokens refused for {seconds:.1f} s", "refuse-tokens", seconds=seconds)

    def settle(self):
        if self.server.process.poll() is not None:
            self.launch()
            self.server.wait_ready()


# === In processes of their own ===


class Sender:
    """Batches by partition, each sent until it is accepted."""

    def __init__(self, place, _failed):
        from azure.eventhub import EventHubProducerClient

        self.client = EventHubProducerClient.from_connection_string(place["connection"], retry_total=3, retry_backoff_max=2)
        self.waiting, self.sent_at = {}, time.monotonic()

    def send(self, partition, _key, payload, _time_ms):
        from azure.eventhub import EventData

        waiting = self.waiting.setdefault(partition, [])
        # Microsoft's clients cannot send an event without a body: one of no bytes stands for a tombstone.
        waiting.append(EventData(payload or b""))
        if len(waiting) >= SEND_AT:
            self.send_all(partition)

    def send_all(self, partition):
        events = self.waiting.pop(partition, [])
        while events:
            try:
                batch = self.client.create_batch(partition_id=str(partition))
                taken = 0
                for event in events:
                    try:
                        batch.add(event)
                    except ValueError:
                        break
                    taken += 1
                self.client.send_batch(batch)
                events = events[taken:]
            except Exception:  # noqa: BLE001: whatever the fault was, it passes
                time.sleep(0.5)

    def step(self):
        if time.monotonic() - self.sent_at >= SEND_SECONDS:
            self.finish()

    def finish(self):
        """What is left undelivered: nothing."""
        for partition in list(self.waiting):
            self.send_all(partition)
        self.sent_at = time.monotonic()
        return 0


async def read(place, partition):
    """Batches of (position, time in ms, payload) from the partition's beginning to its present end."""
    from azure.eventhub import EventHubConsumerClient

    client = EventHubConsumerClient.from_connection_string(place["connection"], "$Default")
    facts = client.get_partition_properties(str(partition))
    if facts["is_empty"]:
        client.close()
        return
    if facts["beginning_sequence_number"] != 0:
        raise RuntimeError(f"partition {partition} begins at {facts['beginning_sequence_number']}: the hub has deleted events")
    last = facts["last_enqueued_sequence_number"]
    batches = queue.Queue(8)

    def take(_context, events):
        if events:
            batches.put([(event.sequence_number, round(event.enqueued_time.timestamp() * 1000), b"".join(event.body)) for event in events])

    def receive():
        client.receive_batch(take, partition_id=str(partition), starting_position="-1", max_batch_size=1000, max_wait_time=5, prefetch=3000)

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    position = -1
    while position < last:
        # Where the client attached anew by itself, it repeats what it had not handed over.
        batch = [event for event in await asyncio.to_thread(batches.get, True, 120) if event[0] > position]
        fresh = sorted({event[0]: event for event in batch}.values())
        numbers = [event[0] for event in fresh]
        if numbers != list(range(position + 1, position + 1 + len(numbers))):
            raise RuntimeError(f"partition {partition}: {numbers[:3]}… comes after {position}")
        if fresh:
            yield fresh
            position = numbers[-1]
    client.close()
