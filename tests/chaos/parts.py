"""What records come through, by name: each kind is a module with the parts, their faults, a sender and a reader."""

import importlib

KINDS = {"kafka": "kafka.Kafka", "event-hubs": "hubs.Hubs"}


def of(kind):
    """The class of the parts."""
    module, _, name = KINDS[kind].partition(".")
    return getattr(importlib.import_module(module), name)


def sender(place, failed):
    return importlib.import_module(KINDS[place["kind"]].partition(".")[0]).Sender(place, failed)


def read(place, partition):
    return importlib.import_module(KINDS[place["kind"]].partition(".")[0]).read(place, partition)
