"""Operations that disturb all connections, and must not be noticed by who sends and reads."""

import time

from azure.eventhub import EventData
from azure.eventhub.exceptions import EventHubError

from kit import Reading, attached, consumer, control, producer


def going_on(disturb, pause=0.0):
    """A producer and a consumer go on after a disturbance, nothing lost and nothing twice."""
    with producer() as client, Reading(0, "@latest", group="disturbed", client=consumer(group="disturbed")) as reading:
        attached(0, "disturbed")
        client.send_event(EventData("before"), partition_id="0")
        reading.until(lambda r: r.texts() == ["before"], "the first event")
        disturb()
        time.sleep(pause)
        client.send_event(EventData("after"), partition_id="0")
        reading.until(lambda r: "after" in r.texts(), "the second event")
        assert reading.texts() == ["before", "after"], reading.texts()


def reconnect():
    going_on(lambda: control("drop"))


def closed_by_force():
    going_on(lambda: control("close"))


def token_expiry():
    going_on(lambda: control("expire-tokens"))


def detached_as_busy():
    going_on(lambda: control("detach", condition="com.microsoft:server-busy"))


def throttled():
    """This client hands a refused send to its caller; a reader's attach it tries again."""
    with producer() as client:
        client.send_event(EventData("before"), partition_id="0")
        control("throttle", seconds=2)
        try:
            client.send_event(EventData("during"), partition_id="0")
        except EventHubError as error:
            assert "server-busy" in str(error) and "50002" in str(error), error
        else:
            raise AssertionError("a send was taken")
        with Reading(0, "@latest", group="disturbed", client=consumer(group="disturbed", retry_total=10)) as reading:
            attached(0, "disturbed")
            client.send_event(EventData("after"), partition_id="0")
            reading.until(lambda r: r.texts() == ["after"], "the event")


def add_partitions():
    control("add-partitions", hub="growing", count=2)
    with producer("growing") as client:
        assert client.get_partition_ids() == ["0", "1", "2"]
        client.send_event(EventData("x"), partition_id="2")
