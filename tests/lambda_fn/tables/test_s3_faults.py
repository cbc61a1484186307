"""S3 (moto) that slows down, breaks off, hangs or refuses: tried again within bounds, then said in one line."""

import boto3
import pytest
from botocore import exceptions

from lambda_fn.tables.errors import StoreRefused, StoreUnavailable
from lambda_fn.tables.s3 import ATTEMPTS
from lambda_fn.tables.s3 import client as s3_client
from lambda_fn.tables.store import open_store
from tests.lambda_fn.batch.test_s3_run import put
from tests.lambda_fn.tables.s3_faults import Body, broken_off, response


def calls(place, key, folder):
    """Each thing that can be asked of a store, by what it does."""
    opened = open_store(place)
    (folder / "content").write_bytes(b"content")
    return {
        "read": lambda: opened.read(key),
        "fetch": lambda: opened.fetch(key, folder).read_bytes(),
        "put": lambda: opened.put(key, b"content"),
        "put a file": lambda: opened.put(key, folder / "content"),
        "put_new": lambda: opened.put_new(key, b"other"),
        "children": lambda: opened.children(""),
    }


EVERY = {
    "read": b"content",
    "fetch": b"content",
    "put": None,
    "put a file": None,
    "put_new": False,
    "children": ["key"],
}
PASSING = [
    (lambda _: response(503, "SlowDown"), "SlowDown no way"),
    (lambda _: response(500, "InternalError"), "InternalError no way"),
    (lambda _: response(429, "ThrottlingException"), "ThrottlingException no way"),
    (
        lambda _: exceptions.EndpointConnectionError(endpoint_url="https://s3"),
        'Could not connect to the endpoint URL: "https://s3"',
    ),
    (lambda _: exceptions.ReadTimeoutError(endpoint_url="https://s3"), 'Read timeout on endpoint URL: "https://s3"'),
    (
        lambda _: exceptions.ConnectionClosedError(endpoint_url="https://s3"),
        'Connection was closed before we received a valid response from endpoint URL: "https://s3".',
    ),
]


@pytest.mark.parametrize("call", EVERY)
def test_a_fault_that_passes_is_sat_out_by_boto3(s3, faults, pauses, tmp_path, call):
    put(s3, "place/key", b"content")
    for fault, reason in PASSING:
        faults.meet(fault, times=ATTEMPTS - 1)
        pauses.clear()
        assert calls("s3://market/place", "key", tmp_path)[call]() == EVERY[call], reason
        assert len(pauses) >= ATTEMPTS - 1
        assert max(pauses) <= 20
    assert s3.get_object(Bucket="market", Key="place/key")["Body"].read() == b"content"


@pytest.mark.parametrize("call", EVERY)
def test_a_fault_that_stays_is_unavailable_after_a_bounded_number_of_tries(s3, faults, tmp_path, call):
    put(s3, "place/key", b"content")
    done = {"read": "read", "fetch": "read", "children": "listed"}.get(call, "written")
    name = f"s3://market/place{'' if call == 'children' else '/key'}"
    for fault, reason in PASSING:
        faults.meet(fault)
        with pytest.raises(StoreUnavailable) as caught:
            calls("s3://market/place", "key", tmp_path)[call]()
        assert len(faults.calls) == ATTEMPTS
        assert str(caught.value) == f"{name}: can't be {done} ({reason})"


@pytest.mark.parametrize("call", ["read", "put", "put_new", "children"])  # to HEAD, S3 could not say why
def test_a_time_out_of_s3_s_own_passes_though_its_status_blames_the_caller(faults, tmp_path, call):
    faults.meet(lambda _: response(400, "RequestTimeout"))
    with pytest.raises(StoreUnavailable, match="RequestTimeout no way"):
        calls("s3://market/place", "key", tmp_path)[call]()
    assert len(faults.calls) == ATTEMPTS


REFUSALS = {
    "AccessDenied": (403, "no permission"),
    "InvalidAccessKeyId": (403, "AWS does not know the access key"),
    "SignatureDoesNotMatch": (403, "the secret key does not fit the access key"),
    "ExpiredToken": (400, "the AWS credentials have expired"),
    "NoSuchBucket": (404, "no such bucket"),
    "InvalidRequest": (400, "InvalidRequest no way"),
}


@pytest.mark.parametrize("call", ["read", "put", "put_new", "children"])
def test_a_refusal_is_not_tried_again(faults, pauses, tmp_path, call):
    for code, (status, reason) in REFUSALS.items():
        faults.meet(lambda _, status=status, code=code: response(status, code))
        with pytest.raises(StoreRefused) as caught:
            calls("s3://market/place", "key", tmp_path)[call]()
        assert str(caught.value).endswith(f"({reason})")
        assert (len(faults.calls), pauses) == (1, [])


def test_a_download_without_permission_is_refused(faults, pauses, tmp_path):
    faults.meet(lambda _: response(403))  # the answer to HEAD has no body to say why
    with pytest.raises(StoreRefused) as caught:
        calls("s3://market/place", "key", tmp_path)["fetch"]()
    assert str(caught.value) == "s3://market/place/key: can't be read (no permission)"
    assert (len(faults.calls), pauses) == (1, [])


def test_no_credentials_are_refused_in_one_line(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    s3_client.cache_clear()
    for call in EVERY:
        with pytest.raises(StoreRefused, match="Unable to locate credentials"):
            calls("s3://market/place", "key", tmp_path)[call]()
    s3_client.cache_clear()


@pytest.mark.parametrize("call", ["read", "fetch"])
def test_a_download_that_breaks_off_every_time_is_unavailable(s3, faults, tmp_path, call):
    put(s3, "place/key", b"content of some length")
    faults.meet(broken_off, "GetObject")
    with pytest.raises(StoreUnavailable) as caught:
        calls("s3://market/place", "key", tmp_path)[call]()
    assert str(caught.value).startswith("s3://market/place/key: can't be read (")
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("call", ["read", "fetch"])
def test_a_download_that_is_not_what_its_checksum_was_made_of_is_unavailable(s3, faults, tmp_path, call):
    put(s3, "place/key", b"content")
    faults.meet(lambda _: response(200, body=Body(b"Content"), **{"x-amz-checksum-crc32": "2SxHEw=="}), "GetObject")
    with pytest.raises(StoreUnavailable, match="checksum"):
        calls("s3://market/place", "key", tmp_path)[call]()


@pytest.mark.slow
def test_a_download_that_breaks_off_twice_is_taken_up_again(s3, faults, tmp_path):
    put(s3, "place/key", b"content of some length")
    faults.meet(broken_off, "GetObject", times=2)
    assert open_store("s3://market/place").fetch("key", tmp_path).read_bytes() == b"content of some length"


@pytest.mark.usefixtures("s3")
def test_a_new_object_is_put_on_condition_that_there_is_none():
    sent = []
    events = s3_client().meta.events
    events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request.headers.get("If-None-Match")))
    opened = open_store("s3://market/place")
    assert opened.put_new("key", b"first") is True
    assert opened.put_new("key", b"second") is False
    opened.put("key", b"third")
    assert [header and header.decode() for header in sent] == ["*", "*", None]
    assert opened.read("key") == b"third"


def test_two_new_objects_at_the_same_moment_are_worth_another_try(s3, faults, monkeypatch):
    waited = []
    monkeypatch.setattr("lambda_fn.tables.s3.sleep", waited.append)
    faults.meet(lambda _: response(409, "ConditionalRequestConflict"), times=ATTEMPTS - 1)
    assert open_store("s3://market/place").put_new("key", b"x")
    assert waited == [0.1 * 2**attempt for attempt in range(ATTEMPTS - 1)]
    faults.meet(lambda _: response(409, "ConditionalRequestConflict"))
    with pytest.raises(StoreUnavailable, match="ConditionalRequestConflict"):
        open_store("s3://market/place").put_new("other", b"x")
    assert len(waited) == 2 * (ATTEMPTS - 1)
    assert s3.get_object(Bucket="market", Key="place/key")["Body"].read() == b"x"


@pytest.mark.parametrize(("largest", "call"), [(1 << 20, "UploadPart"), (64 << 20, "PutObject")])
def test_a_file_is_put_whole_in_one_part_or_in_several(s3, faults, monkeypatch, tmp_path, largest, call):
    monkeypatch.setattr("lambda_fn.tables.s3.LARGEST_PUT", largest)
    (tmp_path / "file").write_bytes(b"x" * (9 << 20))
    open_store("s3://market/place").put("key", tmp_path / "file")
    assert call in faults.calls
    assert s3.get_object(Bucket="market", Key="place/key")["Body"].read() == b"x" * (9 << 20)
