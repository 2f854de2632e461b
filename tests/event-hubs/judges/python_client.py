"""Microsoft's Python client against the emulator: one line an operation, `python OPERATION ok` or `python OPERATION FAILED why`.

usage: python_client.py CONNECTION_STRING CONTROL_ADDRESS BLOB_ENDPOINT EMULATOR    (tests/clients.rs starts what it needs)

EMULATOR is the program, for operations that need one of their own.

The client is azure-eventhub as it is published; nothing of it is replaced.
"""

import base64
import contextlib
import hashlib
import hmac
import ipaddress
import json
import logging
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

from azure.core.credentials import AccessToken
from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient
from azure.eventhub._buffered_producer._partition_resolver import generate_hash_code
from azure.eventhub.amqp import AmqpAnnotatedMessage
from azure.eventhub.exceptions import AuthenticationError, ConnectError, EventHubError
from azure.eventhub.extensions.checkpointstoreblob import BlobCheckpointStore
from azure.storage.blob import ContainerClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

CONNECTION, CONTROL, BLOBS, EMULATOR = sys.argv[1:5]
ACCOUNT = "devstoreaccount1"
# The key that every Azurite has, published with it.
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
STORE = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};BlobEndpoint={BLOBS}/{ACCOUNT};"
PARTITIONS = 4
SECONDS_MAX = 30
RETRY = {"retry_total": 5, "retry_backoff_factor": 0.1, "retry_backoff_max": 5}


def control(command, **fields):
    host, _, port = CONTROL.rpartition(":")
    with socket.create_connection((host, int(port))) as stream, stream.makefile("rw") as lines:
        lines.write(json.dumps({"do": command, **fields}) + "\n")
        lines.flush()
        answer = json.loads(lines.readline())
    assert "error" not in answer, answer
    return answer


def connection(hub="hub"):
    return CONNECTION.replace("EntityPath=hub;", f"EntityPath={hub};")


def producer(hub="hub", **options):
    return EventHubProducerClient.from_connection_string(connection(hub), **{**RETRY, **options})


def consumer(hub="hub", group="$Default", **options):
    return EventHubConsumerClient.from_connection_string(connection(hub), group, **{**RETRY, **options})


def send(texts, **where):
    with producer() as client:
        batch = client.create_batch(**where)
        for text in texts:
            batch.add(EventData(text))
        client.send_batch(batch)


def state(partition, hub="hub"):
    with producer(hub) as client:
        return client.get_partition_properties(str(partition))


class Reading:
    """A consumer on a thread of its own: its events and errors, and a way to wait for them."""

    def __init__(self, partition, position="-1", group="$Default", client=None, **options):
        self.events, self.errors = [], []
        self.changed = threading.Condition()
        self.client = client or consumer(group=group)
        arguments = {"partition_id": str(partition), "starting_position": position, **options}
        self.thread = threading.Thread(target=self.run, args=(arguments,), daemon=True)
        self.thread.start()

    def run(self, arguments):
        try:
            self.client.receive(on_event=self.on_event, on_error=self.on_error, **arguments)
        except Exception as error:
            self.on_error(None, error)

    def on_event(self, _context, event):
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    def on_error(self, _context, error):
        with self.changed:
            self.errors.append(error)
            self.changed.notify_all()

    def until(self, holds, what):
        with self.changed:
            done = self.changed.wait_for(lambda: holds(self), SECONDS_MAX)
            assert done, f"no {what} within {SECONDS_MAX} s; {len(self.events)} events, errors {self.errors}"

    def texts(self):
        return [event.body_as_str() for event in self.events]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()


def attached(partition, group):
    """Waits until somebody reads the partition for the group."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        readers = control("statistics")["hubs"]["hub"]["partitions"][int(partition)]["readers"]
        if found := [reader for reader in readers if reader["group"] == group]:
            return found
        time.sleep(0.05)
    raise AssertionError(f"nobody attached to partition {partition}")


def read(partition, count, position, **options):
    with Reading(partition, position, **options) as reading:
        reading.until(lambda r: len(r.events) >= count, f"{count} events")
        return reading.events[:count]


# === Operations that leave others alone ===


def properties_hub():
    with producer() as client:
        properties = client.get_eventhub_properties()
    assert properties["eventhub_name"] == "hub" and properties["partition_ids"] == [str(n) for n in range(PARTITIONS)], properties


def properties_partition():
    before = state(0)
    send(["one", "two"], partition_id="0")
    after = state(0)
    assert after["last_enqueued_sequence_number"] >= before["last_enqueued_sequence_number"] + 2, after
    assert not after["is_empty"] and after["last_enqueued_offset"] != str(after["last_enqueued_sequence_number"]), after


def send_single():
    text = f"single {uuid.uuid4()}"
    with producer() as client:
        client.send_event(EventData(text), partition_id="1")
    with Reading(1) as reading:
        reading.until(lambda r: text in r.texts(), "the event")


def send_batch():
    mark = uuid.uuid4()
    wanted = [f"{mark} {n}" for n in range(300)]
    send(wanted)
    found = []
    for partition in range(PARTITIONS):
        if state(partition)["is_empty"]:
            continue
        with Reading(partition) as reading:
            last = state(partition)["last_enqueued_sequence_number"]
            reading.until(lambda r, last=last: r.events and r.events[-1].sequence_number >= last, "end of the partition")
            found.append([text for text in reading.texts() if text.startswith(str(mark))])
    assert [part for part in found if part] == [wanted], "a batch lies in one partition, in order"


def send_large():
    """A batch filled to the brim: many frames there, and an event larger than a frame back."""
    last = state(1)["last_enqueued_sequence_number"]
    with producer() as client:
        batch = client.create_batch(partition_id="1")
        body = "x" * 100_000
        count = 0
        with contextlib.suppress(ValueError):
            while True:
                batch.add(EventData(f"{count} {body}"))
                count += 1
        assert count == 10, f"{count} events of 100 kB in a batch of 1 MiB"
        client.send_batch(batch)
    events = [e for e in read(1, count, last) if len(e.body_as_str()) > 100_000]
    assert [e.body_as_str() for e in events] == [f"{n} {body}" for n in range(count)]


def send_to_partition():
    for partition in range(PARTITIONS):
        last = state(partition)["last_enqueued_sequence_number"]
        text = f"to {partition} {uuid.uuid4()}"
        send([text], partition_id=str(partition))
        with Reading(partition, last) as reading:
            reading.until(lambda r, text=text: text in r.texts(), "the event")


def send_with_partition_key():
    keys = ["a", "device-7", "7eeb4f2c-a9f0-4f9d-9d64-4d2f2d1cb65e", *(f"key {n}" for n in range(12))]
    starts = [state(partition)["last_enqueued_sequence_number"] for partition in range(PARTITIONS)]
    for key in keys:
        send([f"keyed {key}"], partition_key=key)
    for partition in range(PARTITIONS):
        # The client's own code for a key; the service takes the remainder before the sign goes, as .NET and JavaScript do.
        mine = [key for key in keys if abs(generate_hash_code(key)) % PARTITIONS == partition]
        with Reading(partition, starts[partition]) as reading:
            reading.until(lambda r, mine=mine: {f"keyed {k}" for k in mine} <= set(r.texts()), f"keys {mine}")
            events = [event for event in reading.events if event.body_as_str().startswith("keyed ")]
            assert {event.partition_key.decode() for event in events} == set(mine), events


def bodies():
    bodies = [
        AmqpAnnotatedMessage(data_body=[b"one"]),
        AmqpAnnotatedMessage(data_body=[b"one", b"two"]),
        AmqpAnnotatedMessage(value_body={"number": 1, "list": [1, "x"]}),
        AmqpAnnotatedMessage(sequence_body=[[1, 2], ["three"]]),
    ]
    last = state(2)["last_enqueued_sequence_number"]
    with producer() as client:
        batch = client.create_batch(partition_id="2")
        for body in bodies:
            batch.add(body)
        client.send_batch(batch)
    found = [event.raw_amqp_message for event in read(2, len(bodies), last)]
    assert [str(message.body_type) for message in found] == [str(message.body_type) for message in bodies]
    assert b"".join(found[1].body) == b"onetwo" and list(found[3].body) == [[1, 2], [b"three"]], [list(m.body) for m in found[1::2]]
    assert found[2].body == {b"number": 1, b"list": [1, b"x"]}, found[2].body


def properties_kept():
    event = EventData(b"body")
    event.properties = {"text": "t", "number": 7, "float": 1.5, "flag": True}
    event.message_id, event.content_type, event.correlation_id = "id-1", "application/json", "correlation"
    event.raw_amqp_message.annotations = {b"iothub-connection-device-id": "device-1"}
    last = state(2)["last_enqueued_sequence_number"]
    with producer() as client:
        batch = client.create_batch(partition_id="2")
        batch.add(event)
        client.send_batch(batch)
    with Reading(2, last) as reading:
        reading.until(lambda r: any(e.message_id == "id-1" for e in r.events), "the event")
        found = next(e for e in reading.events if e.message_id == "id-1")
    assert found.properties == {b"text": b"t", b"number": 7, b"float": 1.5, b"flag": True}, found.properties
    assert (found.content_type, found.correlation_id) == ("application/json", "correlation")
    assert found.system_properties[b"iothub-connection-device-id"] == b"device-1", found.system_properties


def known_events():
    """Five events of partition 3, a moment between the third and the fourth."""
    last = state(3)["last_enqueued_sequence_number"]
    send(["0", "1", "2"], partition_id="3")
    time.sleep(0.05)
    send(["3", "4"], partition_id="3")
    return read(3, 5, last)


def receive_from_positions():
    events = known_events()
    second, third = events[1], events[2]
    for name, position, inclusive, expected in [
        ("offset exclusive", second.offset, False, 2),
        ("offset inclusive", second.offset, True, 1),
        ("sequence number exclusive", second.sequence_number, False, 2),
        ("sequence number inclusive", second.sequence_number, True, 1),
        ("time", third.enqueued_time + timedelta(milliseconds=1), False, 3),
    ]:
        first = read(3, 1, position, starting_position_inclusive=inclusive)[0]
        wanted = events[expected].sequence_number
        assert first.sequence_number == wanted, f"{name}: began at {first.sequence_number}, not {wanted}"
    assert read(3, 1, "-1")[0].sequence_number == state(3)["beginning_sequence_number"]


def receive_latest():
    send(["before"], partition_id="3")
    text = f"after {uuid.uuid4()}"
    with Reading(3, "@latest", group="latest") as reading:
        attached(3, "latest")
        send([text], partition_id="3")
        reading.until(lambda r: r.events, "an event")
        assert reading.texts()[0] == text, reading.texts()


def last_enqueued():
    send(["x", "y"], partition_id="2")
    with Reading(2, track_last_enqueued_event_properties=True) as reading:
        reading.until(lambda r: r.events, "an event")
        told = reading.events[0].message.delivery_annotations
    last = state(2)["last_enqueued_sequence_number"]
    assert 0 <= told[b"last_enqueued_sequence_number"] <= last and b"last_enqueued_offset" in told, told


def epoch_steal():
    with Reading(0, group="epochs", owner_level=1) as first:
        attached(0, "epochs")
        with Reading(0, group="epochs", owner_level=2) as second:
            first.until(lambda r: r.errors, "error for the first reader")
            assert "stolen" in str(first.errors[0]).lower() or "higher epoch" in str(first.errors[0]), first.errors
            assert [reader["epoch"] for reader in attached(0, "epochs")] == [2]
            with Reading(0, group="epochs", owner_level=1) as third:
                third.until(lambda r: r.errors, "error for the lower epoch")
            with Reading(0, group="epochs") as free:
                free.until(lambda r: r.errors, "error for the reader without epoch")
            assert not second.errors, second.errors


def processor():
    """Two consumers share four partitions through a store in Azurite; a third life goes on where they stopped."""
    container = f"python-{uuid.uuid4()}"
    ContainerClient.from_connection_string(STORE, container).create_container()
    sent = {f"{partition}-{n}" for partition in range(PARTITIONS) for n in range(50)}
    with producer("processor") as client:
        for partition in range(PARTITIONS):
            batch = client.create_batch(partition_id=str(partition))
            for n in range(50):
                batch.add(EventData(f"{partition}-{n}"))
            client.send_batch(batch)

    class Instance:
        def __init__(self):
            self.owned, self.texts, self.lock = set(), [], threading.Lock()
            store = BlobCheckpointStore.from_connection_string(STORE, container)
            options = {"checkpoint_store": store, "load_balancing_interval": 1, "partition_ownership_expiration_interval": 10}
            self.client = consumer("processor", **options)
            arguments = {
                "on_event": self.on_event,
                "on_partition_initialize": lambda context: self.owned.add(context.partition_id),
                "on_partition_close": lambda context, _reason: self.owned.discard(context.partition_id),
                "starting_position": "-1",
            }
            self.thread = threading.Thread(target=self.client.receive, kwargs=arguments, daemon=True)
            self.thread.start()

        def on_event(self, context, event):
            with self.lock:
                self.texts.append(event.body_as_str())
            context.update_checkpoint(event)

    def wait(holds, what):
        deadline = time.monotonic() + SECONDS_MAX
        while not holds():
            assert time.monotonic() < deadline, f"not within {SECONDS_MAX} s: {what}"
            time.sleep(0.1)

    one, two = Instance(), Instance()
    wait(lambda: len(one.owned) == len(two.owned) == 2 and not one.owned & two.owned, "two partitions for each")
    wait(lambda: set(one.texts) | set(two.texts) == sent, "all events")
    one.client.close()
    two.client.close()
    # What closing raced with may come twice; what was confirmed before does not come again.
    store = BlobCheckpointStore.from_connection_string(STORE, container)
    namespace = CONNECTION.partition("sb://")[2].partition(";")[0]
    checkpoints = list(store.list_checkpoints(namespace, "processor", "$Default"))
    ends = {checkpoint["partition_id"]: checkpoint["sequence_number"] for checkpoint in checkpoints}
    assert ends == {str(partition): 49 for partition in range(PARTITIONS)}, checkpoints
    with producer("processor") as client:
        client.send_event(EventData("later"), partition_id="1")
    third = Instance()
    wait(lambda: third.texts, "an event in the third life")
    assert third.texts == ["later"], third.texts
    third.client.close()


def wrong_key_refused():
    wrong = connection().replace("SharedAccessKey=", "SharedAccessKey=wrong")
    with EventHubProducerClient.from_connection_string(wrong, retry_total=0) as client:
        try:
            client.get_eventhub_properties()
        except AuthenticationError:
            return
    raise AssertionError("a wrong key was taken")


def unknown_hub_refused():
    with producer("nothing", retry_total=0) as client:
        for use in (client.get_eventhub_properties, lambda: client.send_event(EventData("x"))):
            try:
                use()
            except EventHubError as error:
                # Of a refused request the client tells the status alone.
                assert "could not be found" in str(error) or "Status code: 404" in str(error), error
            else:
                raise AssertionError("an unknown hub was taken")


def unknown_partition_refused():
    with producer(retry_total=0) as client:
        try:
            client.send_event(EventData("x"), partition_id="99")
        except (ConnectError, EventHubError) as error:
            assert "partition" in str(error), error
        else:
            raise AssertionError("an unknown partition was taken")


class Credential:
    """Gives tokens that are valid for some seconds, and counts them."""

    def __init__(self, seconds, token_type, make):
        self.seconds, self.token_type, self.make, self.given = seconds, token_type, make, 0

    def get_token(self, *_scopes, **_options):
        self.given += 1
        expiry = int(time.time()) + self.seconds
        return AccessToken(self.make(expiry), expiry)


def signature_token(expiry):
    fields = dict(part.split("=", 1) for part in CONNECTION.strip(";").split(";"))
    resource = urllib.parse.quote_plus(f"{fields['Endpoint']}/hub")
    digest = hmac.new(fields["SharedAccessKey"].encode(), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
    signature = urllib.parse.quote_plus(base64.b64encode(digest))
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={fields['SharedAccessKeyName']}"


def web_token(expiry):
    claims = json.dumps({"aud": "https://eventhubs.azure.net", "exp": expiry}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}."


def with_credential(kind, credential, *arguments):
    address = CONNECTION.partition("sb://")[2].partition(";")[0]
    return kind(address, "hub", *arguments, credential=credential, use_tls=False, **RETRY)


def token_renewal():
    """A reader outlives its first token without losing its link."""
    credential = Credential(20, b"servicebus.windows.net:sastoken", signature_token)
    client = with_credential(EventHubConsumerClient, credential, "renewal")
    with Reading(2, "@latest", client=client) as reading:
        before = attached(2, "renewal")
        time.sleep(22)
        text = f"late {uuid.uuid4()}"
        send([text], partition_id="2")
        reading.until(lambda r: text in r.texts(), "the event")
        assert credential.given > 1 and attached(2, "renewal") == before and not reading.errors, (credential.given, reading.errors)


def web_tokens():
    credential = Credential(3600, b"jwt", web_token)
    with with_credential(EventHubProducerClient, credential) as client:
        client.send_event(EventData("x"), partition_id="1")
    wrong = Credential(3600, b"jwt", lambda expiry: web_token(expiry - 7200))
    with with_credential(EventHubProducerClient, wrong) as client:
        try:
            client.send_event(EventData("x"), partition_id="1")
        except EventHubError:
            return
    raise AssertionError("an expired token was taken")


# === Operations with an emulator of their own ===


@contextlib.contextmanager
def emulator(*arguments):
    """A process, and what it says of itself; killed outright at the end."""
    command = [EMULATOR, "--hub", "hub:4", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def texts_of(client, count):
    with Reading(0, client=client) as reading:
        reading.until(lambda r: len(r.events) >= count, f"{count} events")
        return reading.texts()


def kill_and_restart():
    """What was confirmed is there after a kill, under the same numbers, and its clients go on."""
    with tempfile.TemporaryDirectory() as folder:
        with emulator("--data", folder) as first:
            address, string = first["address"], first["connection_string"]
            client = EventHubProducerClient.from_connection_string(string, **RETRY)
            for n in range(20):
                client.send_event(EventData(f"{n}"), partition_id="0")
        with emulator("--data", folder, "--listen", address) as second:
            client.send_event(EventData("20"), partition_id="0")
            client.close()
            found = texts_of(EventHubConsumerClient.from_connection_string(second["connection_string"], "$Default"), 21)
    assert found == [f"{n}" for n in range(21)], found


def authority(folder):
    """A certificate of an authority of its own for 127.0.0.1, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"test {uuid.uuid4()}")])
    now = datetime.now(timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=1))
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = builder.add_extension(addresses, critical=False).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    form = (pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths = Path(folder, f"{uuid.uuid4()}.pem"), Path(folder, f"{uuid.uuid4()}.key")
    paths[0].write_bytes(certificate.public_bytes(pem))
    paths[1].write_bytes(key.private_bytes(*form))
    return paths


def encrypted():
    with tempfile.TemporaryDirectory() as folder:
        (certificate, key), (other, _) = authority(folder), authority(folder)
        with emulator("--tls-cert", certificate, "--tls-key", key, "--geo-offsets") as started:
            options = {"custom_endpoint_address": f"sb://{started['address']}", "connection_verify": str(certificate), **RETRY}
            string = started["connection_string"]
            with EventHubProducerClient.from_connection_string(string, **options) as client:
                client.send_event(EventData("x"), partition_id="0")
                assert not client.get_partition_properties("0")["last_enqueued_offset"].isdigit()
            assert texts_of(EventHubConsumerClient.from_connection_string(string, "$Default", **options), 1) == ["x"]
            options |= {"connection_verify": str(other), "retry_total": 0}
            with EventHubProducerClient.from_connection_string(string, **options) as client:
                try:
                    client.get_eventhub_properties()
                except EventHubError as error:
                    assert "certificate" in str(error).lower(), error
                else:
                    raise AssertionError("a certificate of another authority was taken")


# === Operations that disturb all connections ===


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
