"""Microsoft's Python client against the emulator: one line an operation, `python OPERATION ok` or `python OPERATION FAILED why`.

usage: judge.py CONNECTION_STRING CONTROL_ADDRESS BLOB_ENDPOINT EMULATOR    (tests/clients.rs starts what it needs)

EMULATOR is the program, for operations that need one of their own.

The client is azure-eventhub as it is published; nothing of it is replaced.
"""

import logging
from concurrent.futures import ThreadPoolExecutor

from disturbing import add_partitions, closed_by_force, detached_as_busy, reconnect, throttled, token_expiry
from receiving import epoch_steal, last_enqueued, processor, receive_from_positions, receive_latest
from sending import (
    bodies,
    properties_hub,
    properties_kept,
    properties_partition,
    send_batch,
    send_large,
    send_single,
    send_to_partition,
    send_with_partition_key,
)
from starting import encrypted, kill_and_restart
from tokens import token_renewal, unknown_hub_refused, unknown_partition_refused, web_tokens, wrong_key_refused

ALONE = [
    properties_hub,
    properties_partition,
    send_single,
    send_batch,
    send_large,
    send_to_partition,
    send_with_partition_key,
    bodies,
    properties_kept,
    receive_from_positions,
    receive_latest,
    last_enqueued,
    epoch_steal,
    processor,
    wrong_key_refused,
    unknown_hub_refused,
    unknown_partition_refused,
    token_renewal,
    web_tokens,
    kill_and_restart,
    encrypted,
]
DISTURBING = [reconnect, closed_by_force, token_expiry, detached_as_busy, throttled, add_partitions]


def judge(operation):
    name = operation.__name__.replace("_", "-")
    try:
        operation()
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"python {name} FAILED {text[:600]}", flush=True)
    else:
        print(f"python {name} ok", flush=True)


def main():
    logging.disable(logging.CRITICAL)
    # Those that take their time run beside the others, which follow one another: they look at the same partitions.
    slow = [processor, token_renewal, kill_and_restart, encrypted]
    with ThreadPoolExecutor(len(slow) + 1) as pool:
        for operation in slow:
            pool.submit(judge, operation)
        pool.submit(lambda: [judge(operation) for operation in ALONE if operation not in slow])
    for operation in DISTURBING:
        judge(operation)


main()
