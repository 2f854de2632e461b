"""What only an administrator does to a topic.

usage: topic_admin.py BROKERS TOPIC delete-records PARTITION POSITION      as retention does: records before POSITION go
       topic_admin.py BROKERS TOPIC delete                                 returns once it is gone
"""

import sys
import time

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient


def main():
    brokers, topic, action, *rest = sys.argv[1:]
    admin = AdminClient({"bootstrap.servers": brokers})
    if action == "delete-records":
        partition, position = map(int, rest)
        for done in admin.delete_records([TopicPartition(topic, partition, position)]).values():
            print(done.result(30))
        return
    admin.delete_topics([topic], operation_timeout=30)[topic].result(60)
    deadline = time.monotonic() + 60
    while topic in admin.list_topics(timeout=10).topics:
        if time.monotonic() > deadline:
            raise SystemExit(f"{topic} is still there")
        time.sleep(0.2)


main()
