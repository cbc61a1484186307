"""After traffic, on moto over HTTP: what a release is made of is on record once, and no version that is needed goes."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from lambda_fn.deploy import post_traffic_hook
from lambda_fn.deploy.post_traffic_hook import delete_version, parse_versions, surplus_versions
from lambda_fn.tables.s3 import client as s3_client
from tests.lambda_fn.conftest import MODELS
from tests.lambda_fn.deploy.conftest import Lambda, event
from tests.lambda_fn.deploy.stand_in import refusal

API, BATCH = "efemera-ApiFunction-Xy1", "efemera-BatchFunction-Xy2"
MANIFEST = json.loads((MODELS / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def server():
    """S3 and Lambda by moto, for this file."""
    found = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    found.start()
    yield "http://{}:{}".format(*found.get_host_and_port())
    found.stop()


@pytest.fixture
def moto(aws, server, monkeypatch):
    """Both, empty but for a bucket; CodeDeploy is the stand-in's."""
    assert aws
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST")).close()
    for service in ("LAMBDA", "S3", "IAM"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", server)
    s3_client.cache_clear()
    s3_client().create_bucket(Bucket="market")
    monkeypatch.setenv("RELEASES", "s3://market/releases")
    yield boto3.client("lambda")
    s3_client.cache_clear()


@pytest.fixture
def role(moto):
    assert moto
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    return boto3.client("iam").create_role(RoleName="any", AssumeRolePolicyDocument=trust)["Role"]["Arn"]


@pytest.fixture
def functions(moto, role):
    """Make functions with some versions each."""

    def make(**counts):
        for name, count in counts.items():
            function = {"Api": API, "Batch": BATCH}[name]
            moto.create_function(
                FunctionName=function, Runtime="python3.13", Role=role, Handler="a.b", Code={"ZipFile": code(0)}
            )
            for number in range(1, count + 1):
                moto.update_function_code(FunctionName=function, ZipFile=code(number))
                assert moto.publish_version(FunctionName=function)["Version"] == str(number)

    return make


def code(number):
    """Zip a package that differs from the others."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.py", f"b = {number}")
    return buffer.getvalue()


def arn(function, version):
    return f"arn:aws:lambda:us-east-1:123456789012:function:{function}:{version}"


@pytest.fixture
def release(aws, monkeypatch):
    """Release some versions; return the status reported to CodeDeploy."""

    def run(api, batch=None, kept=None, context=None):
        arns = [arn(API, api)] + ([arn(BATCH, batch)] if batch else [])
        monkeypatch.setenv("VERSIONS", ",".join(arns))
        monkeypatch.setenv("KEPT", str(kept)) if kept is not None else monkeypatch.delenv("KEPT", raising=False)
        told = post_traffic_hook.handler(event("released"), context or Lambda())
        assert aws.statuses[-1] == told["status"]
        return told["status"]

    return run


def recorded():
    """Read every record by its key."""
    bucket = s3_client()
    keys = [one["Key"] for one in bucket.list_objects_v2(Bucket="market").get("Contents", ())]
    return {key: json.loads(bucket.get_object(Bucket="market", Key=key)["Body"].read()) for key in keys}


def versions(client, function=API):
    """List the published versions that are left."""
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    found = [one["Version"] for page in pages for one in page["Versions"]]
    assert "$LATEST" in found
    return [int(version) for version in found if version != "$LATEST"]


@pytest.mark.slow
def test_a_release_is_written_down_once_and_told(aws, functions, release):
    functions(Api=1, Batch=1)
    assert release(1, 1) == "Succeeded"
    told = event("released")
    assert aws.told == [
        {
            "deploymentId": told["DeploymentId"],
            "lifecycleEventHookExecutionId": told["LifecycleEventHookExecutionId"],
            "status": "Succeeded",
        }
    ]
    [(key, record)] = recorded().items()
    assert key == "releases/1.json"
    assert record.pop("released_at").endswith("+00:00")
    assert record == {
        "schema_version": 1,
        "versions": {API: "1", BATCH: "1"},
        "model_version": MANIFEST["model_version"],
        "model_digest": MANIFEST["files"]["model.onnx"][:12],
    }
    before = recorded()
    assert release(1, 1) == "Succeeded"
    assert recorded() == before


@pytest.mark.usefixtures("moto")
def test_the_record_of_another_release_stays_and_is_told_of(release, logged):
    first = {"schema_version": 1, "versions": {API: "1", BATCH: "8"}, "released_at": "then"}
    s3_client().put_object(Bucket="market", Key="releases/1.json", Body=json.dumps(first).encode())
    assert release(1, 9) == "Succeeded"
    assert recorded() == {"releases/1.json": first}
    [line] = logged("ERROR")
    assert line["message"] == "the record of another release is there and stays"
    assert line["record"] == "s3://market/releases/1.json"
    assert line["not_kept"]["versions"] == {API: "1", BATCH: "9"}


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("RELEASES", "s3://nowhere/releases", "s3://nowhere/releases/3.json: can't be written (no such bucket)"),
        ("RELEASES", "s3://No_Bucket/releases", "s3://No_Bucket/releases: 'No_Bucket' is not the name of a bucket"),
        ("EFEMERA_MODELS", "/nonexistent", "No such file or directory: '/nonexistent/manifest.json'"),
    ],
)
def test_a_release_that_could_not_be_written_down_is_taken_back(
    functions, moto, release, logged, monkeypatch, variable, value, told
):
    functions(Api=3)
    monkeypatch.setenv(variable, value)
    assert release(3) == "Failed"
    [line] = logged("ERROR")
    assert line["message"] == "the release could not be recorded, so it is taken back"
    assert told in line["error"]
    assert "Traceback" in line["stack"]
    assert versions(moto) == [1, 2, 3]


@pytest.mark.usefixtures("moto")
@pytest.mark.parametrize(
    "value",
    ["", arn(API, "$LATEST"), arn(API, "live"), arn(API, "0"), arn(API, 1).removesuffix(":1"), f"{arn(API, 1)},"],
)
def test_what_names_no_published_version_can_t_be_recorded(aws, monkeypatch, value):
    monkeypatch.setenv("VERSIONS", value)
    assert post_traffic_hook.handler(event("released"), Lambda()) == {"status": "Failed"}
    assert aws.statuses == ["Failed"]
    assert recorded() == {}


@pytest.mark.usefixtures("moto")
def test_s3_that_could_leave_no_time_to_report_is_not_asked(release, logged):
    assert release(1, context=Lambda(seconds=109)) == "Failed"
    assert logged("ERROR")[0]["error"].startswith("109 s are left, and a call may take 65 s")
    assert recorded() == {}
    assert release(1) == "Succeeded"  # the next call in the same process has its own time


@pytest.mark.slow
def test_versions_of_the_newest_releases_are_kept_and_older_ones_go(functions, moto, release, logged):
    functions(Api=6, Batch=3)
    for api, batch in ((2, 1), (3, 1), (4, 2), (5, 2)):
        release(api, batch)
    assert versions(moto) == [3, 4, 5, 6]  # 1 was before there were hooks; 6 is newer
    assert versions(moto, BATCH) == [1, 2, 3]
    release(6, 3)
    assert versions(moto) == [4, 5, 6]
    assert versions(moto, BATCH) == [2, 3]
    assert len(recorded()) == 5
    assert [(line["function"], line["versions"]) for line in logged("INFO") if "versions" in line] == [
        (API, [1]), (API, [2]), (API, [3]), (BATCH, [1]),
    ]  # fmt: skip
    assert logged("ERROR") == []


def test_nothing_goes_before_there_are_as_many_records_as_are_kept(functions, moto, release):
    functions(Api=3)
    for api in (2, 3):
        assert release(api) == "Succeeded"
        assert versions(moto) == [1, 2, 3]


def test_records_are_in_the_order_of_numbers_not_of_letters(functions, moto, release):
    functions(Api=11)
    for api in (8, 9, 10, 11):
        release(api, kept=3)
    assert versions(moto) == [9, 10, 11]


def test_a_version_that_failed_its_deployment_goes_once_it_is_old(functions, moto, release):
    functions(Api=5)
    for api in (1, 2, 4, 5):  # 3 never came so far
        release(api, kept=2)
    assert versions(moto) == [4, 5]


def test_what_an_alias_points_to_is_kept_be_it_a_share_of_the_requests(functions, moto, release):
    functions(Api=6)
    moto.create_alias(FunctionName=API, Name="live", FunctionVersion="5")
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    moto.create_alias(FunctionName=API, Name="old", FunctionVersion="1", RoutingConfig=weights)
    moto.create_alias(FunctionName=API, Name="next", FunctionVersion="$LATEST")
    release(6, kept=1)
    assert versions(moto) == [1, 2, 5, 6]


def test_records_of_a_function_that_was_replaced_count_for_nothing(functions, moto, release):
    functions(Api=3)
    for number in (7, 8, 9):
        other = {"schema_version": 1, "versions": {"efemera-ApiFunction-Old": str(number)}}
        s3_client().put_object(Bucket="market", Key=f"releases/{number}.json", Body=json.dumps(other).encode())
    release(3, kept=2)
    assert versions(moto) == [1, 2, 3]


def test_a_release_that_a_rollback_has_left_is_not_kept_in_the_place_of_one_to_go_back_to(functions, moto, release):
    functions(Api=5)
    for api in (1, 2):
        release(api, kept=2)
    for bad in (3, 4):
        release(bad, kept=2)
        withdrawn = {**recorded()[f"releases/{bad}.json"], "withdrawn_at": "then"}  # infra/rollback.py, back to 2
        s3_client().put_object(Bucket="market", Key=f"releases/{bad}.json", Body=json.dumps(withdrawn).encode())
    release(5, kept=2)
    assert versions(moto) == [2, 5]


def test_a_file_that_is_no_record_is_left_alone(functions, moto, release):
    functions(Api=3)
    s3_client().put_object(Bucket="market", Key="releases/notes.txt", Body=b"mine")
    s3_client().put_object(Bucket="market", Key="releases/old/2.json", Body=b"mine")
    assert release(3, kept=1) == "Succeeded"
    assert versions(moto) == [3]


@pytest.mark.parametrize(("kept", "error"), [(0, "KEPT: 0 releases"), ("many", "invalid literal for int()")])
def test_a_fault_with_deleting_is_told_and_takes_no_release_back(functions, moto, release, logged, kept, error):
    functions(Api=3)
    assert release(3, kept=kept) == "Succeeded"
    assert versions(moto) == [1, 2, 3]
    [line] = logged("ERROR")
    assert line["message"] == "old versions could not be deleted"
    assert line["error"].startswith(error)


def test_time_that_runs_out_ends_the_deleting_and_takes_no_release_back(aws, functions, moto, release, logged):
    functions(Api=3)

    class Late(Lambda):
        def get_remaining_time_in_millis(self):
            return 10_000 if aws.told else 120_000

    assert release(3, kept=1, context=Late()) == "Succeeded"
    assert versions(moto) == [1, 2, 3]
    assert logged("ERROR")[0]["error"].startswith("10 s are left")


def test_a_record_that_can_t_be_read_stops_all_deleting_and_takes_no_release_back(functions, moto, release, logged):
    functions(Api=4)
    s3_client().put_object(Bucket="market", Key="releases/3.json", Body=b"{")
    assert release(4, kept=2) == "Succeeded"
    assert versions(moto) == [1, 2, 3, 4]
    assert [line["message"] for line in logged("ERROR")] == ["old versions could not be deleted"]


def test_a_function_whose_versions_can_t_be_listed_stops_no_other(functions, moto, release, logged):
    functions(Batch=3)
    assert release(3, 3, kept=1) == "Succeeded"
    assert versions(moto, BATCH) == [3]
    [line] = logged("ERROR")
    assert (line["message"], line["function"]) == ("old versions could not be deleted", API)


def test_codedeploy_is_told_before_anything_is_deleted(aws, functions, moto, release):
    functions(Api=3)
    aws.codedeploy = [refusal(400, "DeploymentDoesNotExistException")]
    with pytest.raises(ClientError, match="DeploymentDoesNotExistException"):
        release(3, kept=1)
    assert versions(moto) == [1, 2, 3]
    assert list(recorded()) == ["releases/3.json"]


@pytest.mark.parametrize("version", ["", "$LATEST", "0", "live", "1 ", "١"])
def test_a_function_itself_is_never_deleted(functions, moto, version):
    functions(Api=1)
    with pytest.raises(ValueError, match="is not the number of a published version"):
        delete_version(moto, API, version)
    assert versions(moto) == [1]
    delete_version(moto, API, "1")
    assert versions(moto) == []


def test_the_newest_version_stays_even_if_none_is_as_new_as_the_release():
    assert surplus_versions([1, 2, 3], 9, set()) == [1, 2]
    assert surplus_versions([1, 2, 3, 4], 3, {1}) == [2]
    assert surplus_versions([], 3, set()) == []


@pytest.mark.slow
def test_versions_are_read_in_their_order():
    assert list(parse_versions(f"{arn(API, 12)}, {arn(BATCH, 3)}").items()) == [(API, 12), (BATCH, 3)]
