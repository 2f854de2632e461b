"""Sends the lines of a file to an event hub with Microsoft's own client, as devices do: a field of each is its partition key.

usage: send_to_hub.py CONNECTION_STRING LINES FIELD        prints how many were sent
"""

import json
import sys
from collections import defaultdict

from azure.eventhub import EventData, EventHubProducerClient


def main(connection_string, path, field):
    by_key = defaultdict(list)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            by_key[str(json.loads(line)[field])].append(line.rstrip("\n"))
    sent = 0
    with EventHubProducerClient.from_connection_string(connection_string) as client:
        for key, events in by_key.items():
            batch = client.create_batch(partition_key=key)
            for event in events:
                try:
                    batch.add(EventData(event))
                except ValueError:
                    client.send_batch(batch)
                    batch = client.create_batch(partition_key=key)
                    batch.add(EventData(event))
            client.send_batch(batch)
            sent += len(events)
    print(sent)


main(*sys.argv[1:])
