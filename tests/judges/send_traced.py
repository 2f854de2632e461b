"""Sends readings that belong to traces:  send_traced.py BROKERS TOPIC SENT.json TIME_MS COUNT

By librdkafka's Python client. Each record has its own trace, as W3C headers. Every fourth was not sampled, every fifth says so in a
header that is no context at all. Prints nothing; SENT.json holds [trace id, span id, tracestate] of each that counts, in their order.
"""

import json
import secrets
import sys

from confluent_kafka import Producer

brokers, topic, sent, time_ms, count = sys.argv[1:]
producer = Producer({"bootstrap.servers": brokers, "linger.ms": 5})
contexts = []
for number in range(int(count)):
    trace, span, state = secrets.token_hex(16), secrets.token_hex(8), f"vendor={number}"
    sampled = number % 4 != 3
    headers = [("other", b"x"), ("traceparent", f"00-{trace}-{span}-0{int(sampled)}".encode()), ("tracestate", state.encode())]
    if number % 5 == 4:
        headers[1] = ("traceparent", b"\xff\xfe not a context")
    elif sampled:
        contexts.append([trace, span, state])
    time = int(time_ms) + 1000 * number
    value = json.dumps({"device": "d0", "sensor": "s0", "ts": time, "value": number})
    producer.produce(topic, value, "d0", partition=0, timestamp=time, headers=headers)
assert producer.flush(60) == 0, "not all records were taken"
with open(sent, "w") as file:
    json.dump(contexts, file)
