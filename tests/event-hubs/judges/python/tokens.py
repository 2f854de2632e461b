"""What is refused, and what credentials of one's own give."""

import base64
import hashlib
import hmac
import json
import time
import urllib.parse
import uuid

from azure.core.credentials import AccessToken
from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient
from azure.eventhub.exceptions import AuthenticationError, ConnectError, EventHubError

from kit import CONNECTION, RETRY, Reading, attached, connection, producer, send


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
