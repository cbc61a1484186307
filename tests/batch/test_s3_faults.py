"""S3 (moto) that slows down, breaks off, hangs or refuses: tried again within bounds, then said in one line."""

import io
import itertools
import time
import types

import boto3
import pytest
from botocore import exceptions
from botocore.awsrequest import AWSResponse

from lambda_fn import batch, batch_run, finish, plan, store
from lambda_fn.store import ATTEMPTS, StoreRefused, StoreUnavailable, open_store
from tests.batch.runs import asked, contents, forecast_all, run
from tests.batch.test_s3_run import objects, put


class Body(io.BytesIO):
    """What botocore reads a response from."""

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


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that boto3 would have made, in seconds."""
    made = []
    monkeypatch.setattr("botocore.endpoint.time", types.SimpleNamespace(sleep=made.append, time=time.time))
    return made


class Faults:
    """What the calls of the store's client meet before they come to moto."""

    def __init__(self):
        self.calls = []  # operation of each
        self.stop()
        store.client().meta.events.register_first("before-send.s3", self._meet)

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


@pytest.fixture
def faults(s3, pauses):  # noqa: ARG001 - both are in force
    return Faults()


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
    name = f"s3://market/place/{'' if call == 'children' else 'key'}"
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
    store.client.cache_clear()
    for call in EVERY:
        with pytest.raises(StoreRefused, match="Unable to locate credentials"):
            calls("s3://market/place", "key", tmp_path)[call]()
    store.client.cache_clear()


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


def test_a_download_that_breaks_off_twice_is_taken_up_again(s3, faults, tmp_path):
    put(s3, "place/key", b"content of some length")
    faults.meet(broken_off, "GetObject", times=2)
    assert open_store("s3://market/place").fetch("key", tmp_path).read_bytes() == b"content of some length"


@pytest.mark.usefixtures("s3")
def test_a_new_object_is_put_on_condition_that_there_is_none():
    sent = []
    events = store.client().meta.events
    events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request.headers.get("If-None-Match")))
    opened = open_store("s3://market/place")
    assert opened.put_new("key", b"first") is True
    assert opened.put_new("key", b"second") is False
    opened.put("key", b"third")
    assert [header and header.decode() for header in sent] == ["*", "*", None]
    assert opened.read("key") == b"third"


def test_two_new_objects_at_the_same_moment_are_worth_another_try(faults):
    faults.meet(lambda _: response(409, "ConditionalRequestConflict"))
    with pytest.raises(StoreUnavailable, match="ConditionalRequestConflict"):
        open_store("s3://market/place").put_new("key", b"x")


@pytest.fixture(scope="module")
def undisturbed(prices, tmp_path_factory):
    """Every file of a run on this machine; the same on S3 has the same bytes (test_s3_run.py)."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run(prices, folder, series_per_shard=32)
    return contents(folder)


def outcome(s3, prices):
    """Every object of the same run on S3."""
    place = plan.plan(asked(prices, "s3://market/out", series_per_shard=32)).place
    forecast_all(place)
    finish.finish(place)
    return objects(s3, "out/")


WRITES = 2 + 2 + 2 * 3 + 1  # shards, their list, the plan; each shard's parts and mark; success


def test_a_write_whose_answer_was_lost_is_no_fault(s3, prices, faults, undisturbed):
    """The object is there; boto3 tries again and meets its own (412), as if another worker had been first."""
    again = 0  # seconds until the next try
    store.client().meta.events.register_first(
        "needs-retry.s3.PutObject", lambda attempts, **_: again if attempts == 1 else None
    )
    assert outcome(s3, prices) == undisturbed
    assert faults.calls.count("PutObject") == 2 * WRITES


@pytest.mark.parametrize("operation", ["GetObject", "PutObject", "HeadObject", "ListObjectsV2"])
def test_a_whole_run_under_slow_downs_gives_the_same_bytes(s3, prices, faults, undisturbed, operation):
    put(s3, prices.name, prices)
    faults.meet(slow_down, operation, times=2)
    assert outcome(s3, f"s3://market/{prices.name}") == undisturbed
    assert faults.calls.count(operation) > 2


@pytest.mark.parametrize("count", [1, 5, WRITES - 1])
def test_a_run_that_s3_stopped_goes_on_when_it_answers_again(s3, prices, faults, undisturbed, count):
    puts = itertools.count()
    faults.meet(lambda request: slow_down(request) if next(puts) >= count else None, "PutObject")
    with pytest.raises(StoreUnavailable, match=r"s3://market/out/.*: can't be written \(SlowDown no way\)"):
        outcome(s3, prices)
    assert not any(key.endswith("_SUCCESS.json") for key in objects(s3, "out/"))
    faults.stop()
    assert outcome(s3, prices) == undisturbed


def test_a_shard_that_vanishes_between_the_steps_is_named(s3, prices):
    place = plan.plan(asked(prices, "s3://market/out")).place
    s3.delete_object(Bucket="market", Key=f"out/work/{place.shard(1)}")
    with pytest.raises(batch_run.ShardDamaged) as caught:
        batch.forecast_shard(place, 1)
    assert str(caught.value) == f"s3://market/out/work/{place.shard(1)}: the shard is gone; start the run again"


def test_a_shard_that_is_damaged_is_named(s3, prices):
    place = plan.plan(asked(prices, "s3://market/out")).place
    put(s3, f"out/work/{place.shard(1)}", b"PAR1 no shard PAR1")
    with pytest.raises(batch_run.ShardDamaged, match=r"^00001.parquet: the shard can't be read \("):
        batch.forecast_shard(place, 1)
