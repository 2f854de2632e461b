"""Kafka's wire format, as much as a fast producer needs: record batches and produce requests, written by hand.

A client library spends more on each record than Atalaia does; a batch that was laid out once and only has its times and values
changed costs next to nothing, so that the processors are left to what is to be measured. Broker and consumer check every byte:
checksums, lengths and counts, and the answers say which positions were given.
"""

import socket
import struct
from collections import deque

import cramjam
from aiokafka.record.util import calc_crc32c

PRODUCE, VERSION = 0, 7  # the newest without tagged fields, and the first with zstd
ZSTD = 4
IN_FLIGHT_MAX = 4
TIMEOUT_SECONDS = 60


def varint(number):
    """Zigzag, seven bits a byte."""
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def record(offset_delta, key, value):
    """One record of a batch, of the batch's own time; a value of None is a tombstone."""
    body = b"\0" + varint(0) + varint(offset_delta) + varint(len(key)) + key
    body += varint(-1) if value is None else varint(len(value)) + value
    body += varint(0)
    return varint(len(body)) + body


def batch(records, count, time_ms):
    """A batch of so many records, which are given as they lie behind one another."""
    packed = bytes(cramjam.zstd.compress(records, level=1))
    checked = struct.pack(">hiqqqhii", ZSTD, count - 1, time_ms, time_ms, -1, -1, -1, count) + packed
    head = struct.pack(">iBI", -1, 2, calc_crc32c(checked))
    return struct.pack(">qi", 0, len(head) + len(checked)) + head + checked


class Connection:
    """To the one broker that leads all partitions; requests go out without waiting for the answers before."""

    def __init__(self, address, topic):
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.topic, self.number, self.waiting = topic.encode(), 0, deque()

    def send(self, partition, position, data):
        """Sends the batch that must come to lie at that position."""
        while len(self.waiting) >= IN_FLIGHT_MAX:
            self.take_answer()
        self.number += 1
        body = struct.pack(">hhi", -1, -1, TIMEOUT_SECONDS * 1000)  # no transaction; all replicas
        body += struct.pack(">ih", 1, len(self.topic)) + self.topic + struct.pack(">iii", 1, partition, len(data))
        head = struct.pack(">hhih", PRODUCE, VERSION, self.number, -1)
        self.socket.sendall(struct.pack(">i", len(head) + len(body) + len(data)) + head + body + data)
        self.waiting.append((self.number, partition, position))

    def take_answer(self):
        wanted, partition, position = self.waiting.popleft()
        answer = self.read(struct.unpack(">i", self.read(4))[0])
        (number,) = struct.unpack_from(">i", answer)
        # Correlation, topics, the topic's name, partitions; then what it says of the only one.
        _, error, given = struct.unpack_from(">ihq", answer, 4 + 4 + 2 + len(self.topic) + 4)
        if number != wanted or error or given != position:
            raise RuntimeError(f"the broker answers {number} with error {error}, position {given} in partition {partition}; {wanted}, 0 and {position} were due")

    def read(self, length):
        parts = bytearray()
        while len(parts) < length:
            part = self.socket.recv(length - len(parts))
            if not part:
                raise RuntimeError("the broker has hung up")
            parts += part
        return bytes(parts)

    def finish(self):
        while self.waiting:
            self.take_answer()
        self.socket.close()
