"""Kafka as what records come through: three brokers, of which one at a time is killed."""

import json
import re
import time

from workers import SESSION_SECONDS

BROKER_REST_SECONDS = 15
LEADER = re.compile(r"Completed transition to Leader\(.*?epoch=(\d+)")


class Kafka:
    """Three brokers and a topic on all of them."""

    # Times a minute, and at least so many in a run.
    rates = {"broker_kill": (0.29, 1)}
    counted = {"broker_kills": "broker_kill"}
    # A coordinator that took over may know an older member under a static name.
    sends_away = "took the instance id"
    # The producer is idempotent.
    may_repeat = False

    def __init__(self, services, homes, chosen, _binary):
        self.services, self.homes, self.chosen = services, homes, chosen
        self.down, self.rest = None, 0.0

    def servers(self, folder):
        self.brokers = self.services.kafka_cluster(self.homes["kafka"], folder, 3, ["group.initial.rebalance.delay.ms=500"])
        return list(self.brokers)

    def open(self, topic):
        """Once the servers are ready."""
        from confluent_kafka.admin import AdminClient, NewTopic

        self.place = {"kind": "kafka", "brokers": ",".join(f"127.0.0.1:{node.port}" for node in self.brokers), "topic": topic}
        forever = str(2**63 - 1)
        # Records say themselves when they were made, days ago: nothing may be refused or deleted for it.
        config = {"retention.ms": "-1", "message.timestamp.before.max.ms": forever, "message.timestamp.after.max.ms": forever}
        new = NewTopic(topic, self.chosen.partitions, 3, config={**config, "min.insync.replicas": "2"})
        admin = AdminClient({"bootstrap.servers": self.place["brokers"]})
        admin.create_topics([new], operation_timeout=30)[topic].result(60)

    def configuration(self, _storage):
        """The lines of [ingest]."""
        return [
            'source = "kafka"',
            "[ingest.kafka]",
            f"brokers = {json.dumps(self.place['brokers'])}",
            f"topic = {json.dumps(self.place['topic'])}",
            'group = "chaos"',
            "[ingest.kafka.properties]",
            f'"session.timeout.ms" = "{SESSION_SECONDS * 1000}"',
            '"heartbeat.interval.ms" = "1500"',
            '"reconnect.backoff.max.ms" = "1000"',
            '"topic.metadata.refresh.interval.ms" = "30000"',
        ]

    def environment(self):
        return {}

    def arguments(self, number):
        """Every second worker is a static member."""
        return ["--set", f"ingest.kafka.instance_id=worker-{number}"] if number % 2 else []

    # === The faults ===

    def controller(self):
        """The node that leads the quorum: who last said so, by epoch."""
        epochs = {}
        for node in self.brokers:
            for path in node.data.glob("server*.log"):
                for found in LEADER.finditer(path.read_text(errors="replace")):
                    epochs[int(found[1])] = node
        return epochs[max(epochs)] if epochs else None

    def broker_kill(self, conductor):
        if self.down or time.monotonic() < self.rest:
            return False
        leader = self.controller()
        # Every second time the controller, beginning with it.
        if conductor.counts["broker_kill"] % 2 == 0 and leader is not None:
            node = leader
        else:
            node = conductor.random.choice([node for node in self.brokers if node is not leader])
        node.process.kill()
        node.process.wait()
        self.down = node
        conductor.counts["controller_kill"] += node is leader
        conductor.count("broker_kill", f"broker {node.node} killed" + (", the controller" if node is leader else ""))
        conductor.after(conductor.random.uniform(2, 8), self.restart, node, conductor)
        return True

    def restart(self, node, conductor):
        node.restart()
        conductor.after(1, self.await_broker, node, conductor)

    def await_broker(self, node, conductor):
        if node.process.poll() is not None:
            raise RuntimeError(f"broker {node.node} does not come back: {node.log}")
        if not node.ready():
            conductor.after(0.5, self.await_broker, node, conductor)
            return
        self.down, self.rest = None, time.monotonic() + BROKER_REST_SECONDS
        conductor.note(f"broker {node.node} is back")

    def settle(self):
        for node in self.brokers:
            if node.process.poll() is not None:
                node.restart()
        for node in self.brokers:
            node.wait_ready()


# === In processes of their own ===


class Sender:
    """An idempotent producer that waits for all replicas."""

    def __init__(self, place, failed):
        from confluent_kafka import Producer

        def delivered(error, _message):
            if error is not None:
                failed[str(error)] += 1

        self.topic = place["topic"]
        self.producer = Producer(
            {
                "bootstrap.servers": place["brokers"],
                "acks": "all",
                "enable.idempotence": True,
                "delivery.timeout.ms": 900_000,
                "linger.ms": 20,
                "queue.buffering.max.messages": 200_000,
                "reconnect.backoff.max.ms": 1000,
                "topic.metadata.refresh.interval.ms": 30_000,
                "delivery.report.only.error": True,
                "on_delivery": delivered,
            }
        )

    def send(self, partition, key, payload, time_ms):
        while True:
            try:
                self.producer.produce(self.topic, payload, key, partition, timestamp=time_ms)
                return
            except BufferError:
                self.producer.poll(0.1)

    def step(self):
        self.producer.poll(0)

    def finish(self):
        """What is left undelivered."""
        return self.producer.flush(300)


async def read(place, partition):
    """Batches of (position, time in ms, payload) from the partition's beginning to its present end."""
    from aiokafka import AIOKafkaConsumer, TopicPartition

    topic = place["topic"]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=place["brokers"], enable_auto_commit=False, fetch_max_bytes=16 << 20, max_partition_fetch_bytes=4 << 20
    )
    await consumer.start()
    try:
        one = TopicPartition(topic, partition)
        consumer.assign([one])
        end = (await consumer.end_offsets([one]))[one]
        begin = (await consumer.beginning_offsets([one]))[one]
        if begin != 0:
            raise RuntimeError(f"{topic}/{partition} begins at {begin}: the broker has deleted records")
        consumer.seek(one, 0)
        position = 0
        while position < end:
            batch = (await consumer.getmany(one, timeout_ms=30_000)).get(one)
            if not batch:
                raise RuntimeError(f"{topic}/{partition}: nothing comes after {position} of {end}")
            yield [(record.offset, record.timestamp, record.value) for record in batch]
            position = batch[-1].offset + 1
    finally:
        await consumer.stop()
