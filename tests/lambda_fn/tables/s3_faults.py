"""Faults that S3's answers can have, put between boto3 and moto."""

import io

from botocore import exceptions
from botocore.awsrequest import AWSResponse

from lambda_fn.tables.s3 import client as s3_client


class Body(io.BytesIO):
    """A response body as botocore reads it."""

    def stream(self, amount=1 << 16, decode_content=None):  # noqa: ARG002 - as urllib3 has it
        while piece := self.read(amount):
            yield piece


class BrokenBody(Body):
    """A connection that breaks off after a few bytes."""

    def read(self, amount=None):  # noqa: ARG002 - as urllib3 has it
        if self.tell():
            raise exceptions.ReadTimeoutError(endpoint_url="s3")
        return super().read(4)


def response(status, code=None, body=None, **headers):
    text = f"<Error><Code>{code}</Code><Message>no\nway</Message></Error>".encode() if code else b""
    return AWSResponse("https://s3", status, {"x-amz-request-id": "1", **headers}, body or Body(text))


def slow_down(_):
    return response(503, "SlowDown")


def broken_off(_):
    """Of 22 bytes the first four."""
    return response(200, body=BrokenBody(b"content of some length"), **{"content-length": "22"})


class Faults:
    """Faults that the calls of the store's client meet before they come to moto."""

    def __init__(self):
        self.calls = []  # operation of each
        self.stop()
        s3_client().meta.events.register_first("before-send.s3", self._meet)

    def meet(self, fault, operation="", times=10**6):
        """Let the first calls of an operation, for each object, meet a response or an exception."""
        self.calls.clear()
        self._fault, self._operation, self._times, self._met = fault, operation, times, {}

    def stop(self):
        """Let all calls through."""
        self.meet(None)

    def _meet(self, request, event_name, **_):
        operation = event_name.rpartition(".")[2]
        self.calls.append(operation)
        if self._fault is None or not operation.startswith(self._operation):
            return None
        met = self._met[request.url] = self._met.get(request.url, 0) + 1
        if met > self._times:
            return None
        found = self._fault(request)
        if isinstance(found, Exception):
            raise found
        if found is not None:  # moto is asked all the same, and must not do it
            request.method, request.url, request.body = "HEAD", "https://nowhere.s3.amazonaws.com/none", b""
        return found
