"""Publishing's calls to S3: a condition and a digest with every put, and one line where S3 says no."""

import base64
import hashlib

import boto3
import pytest
from botocore.exceptions import ClientError

from export.errors import InputError
from export.release.publish import RELEASE, open_archive, read_set
from lambda_fn.tables import s3
from lambda_fn.tables.s3 import ATTEMPTS
from tests.export.release.published import MODELS, ORDER, Calls, publish


@pytest.fixture(scope="module")
def found():
    return read_set(MODELS)


@pytest.fixture
def calls(bucket, monkeypatch):  # noqa: ARG001 - moto must be there
    return Calls(monkeypatch)


@pytest.fixture
def pauses(monkeypatch):
    made = []
    monkeypatch.setattr(s3, "sleep", made.append)
    return made


def refusing(code, times=10**6, message="no\nway"):
    """Faults that the first puts meet."""
    left = iter(range(times))

    def meet(operation, _, call):
        if operation == "PutObject" and next(left, None) is not None:
            raise ClientError({"Error": {"Code": code, "Message": message}}, operation)
        return call()

    return meet


def sha256(content):
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def test_s3_keeps_the_sha_256_of_every_file(found, bucket):
    publish(found, open_archive("s3://market/models", "v"))
    for name in ORDER:
        head = bucket.head_object(Bucket="market", Key=f"models/v/{name}", ChecksumMode="ENABLED")
        assert head["ChecksumSHA256"] == sha256(found.contents[name])
        assert head["ContentLength"] == len(found.contents[name])


@pytest.mark.slow
def test_every_put_has_its_condition_and_the_digest_of_what_was_verified(found, calls):
    publish(found, open_archive("s3://market", "v"))
    sent = [(put["Key"], put["IfNoneMatch"], put["ChecksumSHA256"], put["Body"]) for put in calls.puts()]
    assert sent == [(f"v/{name}", "*", sha256(found.contents[name]), found.contents[name]) for name in ORDER]


@pytest.mark.usefixtures("bucket")
def test_the_digest_travels_in_the_request_itself(found):
    sent = []
    events = s3.client().meta.events
    events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request.headers))
    publish(found, open_archive("s3://market", "v"))
    digests = [headers["x-amz-checksum-sha256"] for headers in sent]
    assert [d.decode() if isinstance(d, bytes) else d for d in digests] == [sha256(found.contents[n]) for n in ORDER]
    assert {bytes(headers["If-None-Match"]) for headers in sent} == {b"*"}


@pytest.mark.slow
def test_a_server_that_repeats_no_digest_is_read_back(found, calls):
    def silent(_operation, _parameters, call):
        return {key: value for key, value in call().items() if key != "ChecksumSHA256"}

    calls.meet = silent
    publish(found, open_archive("s3://market", "v"))
    assert [operation for operation, _ in calls.made].count("GetObject") == len(ORDER)


def test_a_server_that_keeps_something_else_is_not_believed(found, calls):
    def spoiling(operation, parameters, call):
        if operation == "PutObject":
            del parameters["ChecksumSHA256"], parameters["ChecksumAlgorithm"]
            parameters["Body"] = b"spoilt"
        return call()

    calls.meet = spoiling
    with pytest.raises(InputError, match="s3://market/v/release.json: is not what was sent"):
        publish(found, open_archive("s3://market", "v"))


def test_two_puts_in_flight_at_once_are_worth_another_try(found, calls, pauses):
    calls.meet = refusing("ConditionalRequestConflict", times=ATTEMPTS - 1)
    publish(found, open_archive("s3://market", "v"))
    assert pauses == [0.1 * 2**attempt for attempt in range(ATTEMPTS - 1)]


def test_a_put_that_stays_in_flight_is_given_up(found, calls, pauses):
    calls.meet = refusing("ConditionalRequestConflict")
    with pytest.raises(InputError, match="release.json: can't be written \\(ConditionalRequestConflict no way\\)"):
        publish(found, open_archive("s3://market", "v"))
    assert len(calls.puts()) == ATTEMPTS
    assert len(pauses) == ATTEMPTS - 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("AccessDenied", "no permission"),
        ("ExpiredToken", "the AWS credentials have expired"),
        ("BadDigest", "BadDigest no way"),
        ("SlowDown", "SlowDown no way"),
    ],
)
def test_a_put_that_s3_refuses_is_one_line(found, calls, code, reason):
    calls.meet = refusing(code)
    with pytest.raises(InputError) as caught:
        publish(found, open_archive("s3://market/models", "v"))
    assert str(caught.value) == f"s3://market/models/v/{RELEASE}: can't be written ({reason})"
    assert len(calls.puts()) == 1


@pytest.mark.parametrize("operation", ["ListObjectsV2", "GetObject"])
def test_a_place_that_may_not_be_read_is_said_before_any_put(found, calls, operation):
    archive = open_archive("s3://market", "v")
    archive.put_new(RELEASE, found.contents[RELEASE])
    calls.made.clear()

    def closed(asked, _, call):
        if asked == operation:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, asked)
        return call()

    calls.meet = closed
    with pytest.raises(InputError, match=r"s3://market/v(/release.json)?: can't be (read|listed) \(no permission\)"):
        publish(found, archive)
    assert not calls.puts()


def test_no_credentials_are_said(found, monkeypatch):
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers credentials
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3.client.cache_clear()
    with pytest.raises(InputError) as caught:
        publish(found, open_archive("s3://market", "v"))
    assert str(caught.value) == "s3://market/v: can't be listed (Unable to locate credentials)"
    monkeypatch.setenv("AWS_PROFILE", "none-such")
    s3.client.cache_clear()
    with pytest.raises(InputError, match=r"The config profile \(none-such\) could not be found"):
        publish(found, open_archive("s3://market", "v"))


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_said(found):
    with pytest.raises(InputError) as caught:
        publish(found, open_archive("s3://elsewhere/models", "v"))
    assert str(caught.value) == "s3://elsewhere/models/v: can't be listed (no such bucket)"
