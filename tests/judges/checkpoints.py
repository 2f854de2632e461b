"""Microsoft's own checkpoint store on the container that we write to, and what KEDA would make of it.

usage: checkpoints.py BLOB_ENDPOINT CONTAINER NAMESPACE HUB GROUP COMMAND…          prints one JSON object

list                      {"ownership": {partition: owner, empty if released}, "checkpoints": {partition: [sequence number, offset]}, "shape": …}
claim OWNER P,P,…         claims these, in the versions that are listed at that moment; [the partitions that were won]
race OWNER P,P,…          as `claim`, but between listing and claiming it prints `ready` and waits for a line
release OWNER             gives back what is this owner's
checkpoint P=N:OFFSET …   writes checkpoints
keda P=FIRST:LAST …       the lag of each partition by KEDA's `blobMetadata`, where its events FIRST to LAST are in the service

The group's names are passed as they are; what the layout makes of them is the library's to know (and KEDA's, for `keda`).
"""

import json
import sys

from azure.core.exceptions import ResourceNotFoundError
from azure.eventhub.extensions.checkpointstoreblob import BlobCheckpointStore
from azure.storage.blob import ContainerClient

ACCOUNT = "devstoreaccount1"
# The emulator's, which is published.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
INT64_MAX = 2**63 - 1
STALE_THRESHOLD = 10_000


def listed(store, group):
    ownership = {each["partition_id"]: each for each in store.list_ownership(*group)}
    checkpoints = {each["partition_id"]: each for each in store.list_checkpoints(*group)}
    return ownership, checkpoints


def shape(container):
    """Every blob of the container: kind and size, as one that should not be there would show."""
    return {blob.name: [blob.blob_type.value if hasattr(blob.blob_type, "value") else str(blob.blob_type), blob.size, sorted(blob.metadata or {})]
            for blob in container.list_blobs(include=["metadata"])}


def wishes(store, group, owner, partitions):
    ownership = {each["partition_id"]: each for each in store.list_ownership(*group)}
    namespace, hub, consumer_group = group
    for partition in partitions:
        wish = {"fully_qualified_namespace": namespace, "eventhub_name": hub, "consumer_group": consumer_group,
                "partition_id": partition, "owner_id": owner}
        if partition in ownership:
            wish["etag"] = ownership[partition]["etag"]
        yield wish


def won(store, wanted):
    """The library also hands back what failed for another reason than a lost race; only what was written has a time."""
    return [each["partition_id"] for each in store.claim_ownership(wanted) if "last_modified_time" in each]


def lag(container, group, partition, first, last):
    """As KEDA's scaler documents it: only the group is lower-cased; the events after the checkpoint; all of them without one."""
    namespace, hub, consumer_group = group
    if last == -1:
        return 0
    blob = container.get_blob_client(f"{namespace}/{hub}/{consumer_group.lower()}/checkpoint/{partition}")
    try:
        metadata = blob.get_blob_properties().metadata
    except ResourceNotFoundError:
        return 0 if first == last != 0 else last - first + 1
    number = metadata.get("sequencenumber", metadata.get("Sequencenumber"))
    checkpoint = int(number)
    if last >= checkpoint:
        return last - checkpoint
    wrapped = INT64_MAX - checkpoint + last
    return 0 if wrapped >= INT64_MAX - STALE_THRESHOLD else wrapped


def pairs(words):
    for word in words:
        partition, _, values = word.partition("=")
        yield (partition, *values.split(":", 1))


def main():
    endpoint, container_name, *group = sys.argv[1:6]
    command, *words = sys.argv[6:]
    connection = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint.rstrip('/')}/{ACCOUNT};"
    container = ContainerClient.from_connection_string(connection, container_name)
    store = BlobCheckpointStore.from_connection_string(connection, container_name)
    match command:
        case "list":
            ownership, checkpoints = listed(store, group)
            answer = {"ownership": {partition: each["owner_id"] or "" for partition, each in ownership.items()},
                      "checkpoints": {partition: [each["sequence_number"], each["offset"]] for partition, each in checkpoints.items()},
                      "shape": shape(container)}
        case "claim" | "race":
            owner, partitions = words
            wanted = list(wishes(store, group, owner, partitions.split(",")))
            if command == "race":
                print("ready", flush=True)
                sys.stdin.readline()
            answer = won(store, wanted)
        case "release":
            ownership, _ = listed(store, group)
            ours = [each | {"owner_id": ""} for each in ownership.values() if each["owner_id"] == words[0]]
            answer = won(store, ours)
        case "checkpoint":
            namespace, hub, consumer_group = group
            for partition, number, offset in pairs(words):
                store.update_checkpoint({"fully_qualified_namespace": namespace, "eventhub_name": hub, "consumer_group": consumer_group,
                                         "partition_id": partition, "sequence_number": int(number), "offset": offset})
            answer = {}
        case "keda":
            answer = {partition: lag(container, group, partition, int(first), int(last)) for partition, first, last in pairs(words)}
    print(json.dumps(answer))


main()
