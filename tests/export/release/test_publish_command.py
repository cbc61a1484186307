"""`efemera publish` as a user meets it: what is shown, one line for each mistake, and the exit code."""

import hashlib
import json
import re
import shutil
import subprocess

import pytest
from botocore.exceptions import ClientError

from export.release.publish import LISTED, RELEASE, read_set
from tests.export.release.published import MODELS, ORDER, Calls

pytestmark = pytest.mark.slow

VERSION = json.loads((MODELS / "manifest.json").read_text())["model_version"]


@pytest.fixture
def calls(bucket, monkeypatch):  # noqa: ARG001 - moto must be there
    return Calls(monkeypatch)


@pytest.fixture
def unproven(monkeypatch):
    """Leaves the proof out, which takes seconds and is not what the test is of."""
    monkeypatch.setattr("export.release.publish.check_bundle", lambda _: None)


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    """A set whose every digest fits, and whose golden answers PyTorch never gave."""
    folder = tmp_path_factory.mktemp("spoilt") / "set"
    shutil.copytree(MODELS, folder)
    golden = json.loads((folder / "golden.json").read_text())
    golden["quantiles"][0][0][3] *= 1.01
    (folder / "golden.json").write_text(json.dumps(golden))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["golden.json"] = hashlib.sha256((folder / "golden.json").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_set_goes_to_s3_and_comes_back_proven(efemera, bucket, tmp_path):
    code, out, err = efemera("publish", "s3://market/models/")
    assert (code, out.count("\n")) == (0, len(ORDER))
    size = sum(len(content) for content in read_set(MODELS).contents.values())
    assert err == (
        f"published: s3://market/models/{VERSION}: 10 files, {size:,} bytes; 10 written, 0 there already\n"
        "the SHA-256 of release.json stands for the whole set\n"
    )
    back = tmp_path / "back"
    back.mkdir()
    for name in ORDER:  # as aws s3 cp --recursive does
        bucket.download_file("market", f"models/{VERSION}/{name}", str(back / name))
    assert {name: (back / name).read_bytes() for name in LISTED} == {n: (MODELS / n).read_bytes() for n in LISTED}
    done = subprocess.run(["sha256sum", "--check", "--quiet"], input=out, cwd=back, text=True, check=False)
    assert done.returncode == 0
    code, out, _ = efemera("parity", "--model", back)
    assert (code, "parity holds" in out) == (0, True)


def test_a_set_goes_into_a_folder_and_a_second_time_nothing_is_written(efemera, tmp_path):
    for written in (True, False):
        code, out, err = efemera("publish", tmp_path / "archive", "--json")
        assert (code, err) == (0, "")
        found = json.loads(out)
        assert {key: value for key, value in found.items() if key != "files"} == {
            "place": f"{tmp_path}/archive/{VERSION}",
            "model_version": VERSION,
            "model_digest": "6b8ce9d3d0db",
            "verdict": "calibrated",
        }
        assert tuple(found["files"]) == ORDER
        for name, said in found["files"].items():
            content = (tmp_path / "archive" / VERSION / name).read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            assert said == {"sha256": digest, "size": len(content), "written": written}


@pytest.mark.usefixtures("unproven", "bucket")
@pytest.mark.parametrize("place", ["archive", "s3://market/a b/é", "s3://market", "S3://market/models//"])
def test_a_published_set_is_checked(efemera, tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    published = json.loads(efemera("publish", place, "--json")[1])
    assert published["place"].endswith(f"/{VERSION}")
    code, out, err = efemera("publish", "--check", published["place"])
    assert (code, len(out.splitlines())) == (0, len(ORDER))
    assert f"verified: {published['place']}: 10 files, " in err
    assert "verdict: calibrated" in err
    code, out, _ = efemera("publish", "--check", f"{published['place']}/", "--json")
    for said in published["files"].values():
        del said["written"]
    assert (code, json.loads(out)) == (0, published)


@pytest.mark.usefixtures("unproven")
def test_a_damaged_archive_is_a_refusal(efemera, bucket):
    efemera("publish", "s3://market")
    bucket.put_object(Bucket="market", Key=f"{VERSION}/weights.npz", Body=b"x")
    code, out, err = efemera("publish", "--check", f"s3://market/{VERSION}")
    assert (code, out) == (3, "")
    assert err == (
        f"efemera: s3://market/{VERSION}: weights.npz has SHA-256 2d711642b726…, release.json says deffe8fe6291…\n"
    )


def test_a_set_that_fails_its_proof_is_refused_before_any_put(efemera, calls, spoilt):
    code, out, err = efemera("publish", "s3://market/models", "--model", spoilt)
    assert (code, out) == (3, "")
    assert "golden.json: the model's answers differ from PyTorch's by" in err
    assert not calls.puts()


def test_a_set_that_was_tampered_with_is_refused_before_s3_is_asked(efemera, calls, tmp_path):
    shutil.copytree(MODELS, tmp_path / "set")
    with (tmp_path / "set" / "weights.npz").open("ab") as file:
        file.write(b"x")
    code, _, err = efemera("publish", "s3://market/models", "--model", tmp_path / "set")
    assert code == 3
    assert re.fullmatch(
        rf"efemera: {tmp_path}/set/weights.npz: has SHA-256 [0-9a-f]{{12}}…, manifest.json says deffe8fe6291…\n", err
    )
    assert calls.made == []


@pytest.mark.usefixtures("unproven")
def test_another_set_of_the_same_version_is_refused_and_nothing_overwritten(efemera, calls, bucket, tmp_path):
    efemera("publish", "s3://market")
    before = bucket.list_objects_v2(Bucket="market")["Contents"]
    calls.made.clear()
    shutil.copytree(MODELS, tmp_path / "set")
    (tmp_path / "set" / "README.md").write_text("another card")
    code, _, err = efemera("publish", "s3://market", "--model", tmp_path / "set")
    assert code == 3
    assert f"efemera: s3://market/{VERSION}/README.md: is there with SHA-256 " in err
    assert err.count("\n") == 1
    assert not calls.puts()
    assert bucket.list_objects_v2(Bucket="market")["Contents"] == before


@pytest.mark.usefixtures("unproven")
@pytest.mark.parametrize("verdict", ["rejected", "unevaluated"])
def test_a_verdict_that_is_no_praise_is_archived_and_told(efemera, tmp_path, verdict):
    shutil.copytree(MODELS, tmp_path / "set")
    if verdict == "unevaluated":
        (tmp_path / "set" / "evaluation.json").unlink()
    else:
        from export.evaluation.evaluation_file import digest_of

        path = tmp_path / "set" / "evaluation.json"
        evaluation = json.loads(path.read_text()) | {"verdict": verdict}
        path.write_text(json.dumps(evaluation | {"sha256": digest_of(evaluation)}))
    code, out, err = efemera("publish", tmp_path / "archive", "--model", tmp_path / "set", "--json")
    assert (code, json.loads(out)["verdict"]) == (0, verdict)
    assert err == f"verdict: {verdict}. The archive keeps the set all the same; it serves nothing.\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["s3://elsewhere/models"], f"s3://elsewhere/models/{VERSION}: can't be listed (no such bucket)"),
        (["s3://"], "s3://: '' is not the name of a bucket; the form is s3://bucket/key"),
        (["s3://Not a bucket/x"], "s3://Not a bucket/x: 'Not a bucket' is not the name of a bucket"),
        ([""], "PLACE is empty; name a folder or s3://bucket/prefix"),
        (["archive", "--model", "none"], "none: holds no exported model (no manifest.json)"),
        (["file"], f"file/{VERSION}: can't be listed (Not a directory)"),
        (["--check", "s3://market/models"], "s3://market/models: holds no published set; name the folder of one"),
        (["--check", "none"], "none: holds no published set; name the folder of one version"),
    ],
)
@pytest.mark.usefixtures("bucket")
def test_a_mistake_is_one_line(efemera, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    code, out, err = efemera("publish", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"efemera: {words}")
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.usefixtures("unproven")
def test_no_permission_is_one_line(efemera, calls):
    def closed(operation, _, call):
        if operation == "PutObject":
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, operation)
        return call()

    calls.meet = closed
    code, _, err = efemera("publish", "s3://market")
    assert (code, err) == (2, f"efemera: s3://market/{VERSION}/{RELEASE}: can't be written (no permission)\n")


@pytest.mark.usefixtures("unproven")
def test_an_interrupted_publish_says_how_to_go_on_and_does(efemera, calls):
    def interrupt(operation, parameters, call):
        if operation == "PutObject" and parameters["Key"].endswith("golden.json"):
            raise KeyboardInterrupt
        return call()

    calls.meet = interrupt
    code, _, err = efemera("publish", "s3://market")
    assert (code, err) == (
        130,
        "interrupted; the files that are put stay: run the same command again to go on\n",
    )
    calls.meet = lambda _operation, _parameters, call: call()
    code, _, err = efemera("publish", "s3://market")
    assert (code, "6 written, 4 there already" in err) == (0, True)


def test_help_shows_how_to_publish_check_and_get_back(efemera):
    code, out, _ = efemera("publish", "--help")
    assert code == 0
    for command in ("efemera publish s3://bucket/models --model mine", "publish --check", "aws s3 cp --recursive"):
        assert command in out
