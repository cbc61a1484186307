"""The signed curl of docs/api.md sends what AWS would accept, by botocore's own signature of the same request."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.infra.conftest import ROOT

pytestmark = pytest.mark.skipif(not os.environ.get("CI") and not shutil.which("curl"), reason="there is no curl")

KEY, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "sa-east-1"


@pytest.fixture
def asked() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a server, and the requests that reached it."""
    requests: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            requests.append({"path": self.path, "headers": dict(self.headers.items()), "body": body})
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", requests
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("token", ["", "FwoGZXIvYXdzEXAMPLETOKEN=="])
def test_the_signed_request_of_the_docs_is_signed_as_aws_asks(asked, token):
    url, requests = asked
    [command] = re.findall(r"^curl --aws-sigv4 .*$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.M)
    keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": token}
    environment = {**os.environ, **keys, "AWS_REGION": REGION, "API": url}
    subprocess.run(["bash", "-euc", command], env=environment, check=True, capture_output=True)
    [request] = requests
    assert len(json.loads(request["body"])["prices"]) == 60
    headers = {name.lower(): value for name, value in request["headers"].items()}
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=(\S+)/\d{8}/(\S+)/(\S+)/aws4_request, ?SignedHeaders=(\S+), ?Signature=(\w{64})",
        headers["authorization"],
    )
    key, region, service, signed, signature = found.groups()
    assert (key, region, service) == (KEY, REGION, "execute-api")
    names = signed.split(";")
    assert {"host", "x-amz-date"} <= set(names)
    assert headers.get("x-amz-security-token", "") == token
    ours = AWSRequest("POST", f"{url}/predict", data=request["body"], headers={name: headers[name] for name in names})
    ours.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(KEY, SECRET), service, region)
    text = signer.string_to_sign(ours, signer.canonical_request(ours))
    assert signer.signature(text, ours) == signature
