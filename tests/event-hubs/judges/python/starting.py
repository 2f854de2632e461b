"""Operations with an emulator of their own: killed and started again, and over TLS."""

import contextlib
import ipaddress
import json
import subprocess
import tempfile
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient
from azure.eventhub.exceptions import EventHubError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kit import EMULATOR, RETRY, Reading


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
