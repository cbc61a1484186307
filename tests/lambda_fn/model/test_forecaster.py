"""The forecaster: it serves one whole, proven set or says which file is wrong, and it remembers nothing."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lambda_fn.model.forecaster import Forecaster, open_session
from lambda_fn.model.manifest import ModelRefused, intervals_of, read_manifest
from tests.lambda_fn.conftest import MODELS, walks


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(MODELS, tmp_path / "models"))


def rewrite(folder, name, change):
    """Change one JSON artefact, and the manifest's digest of it, as a mistaken tool would."""
    value = json.loads((folder / name).read_text())
    change(value)
    (folder / name).write_text(json.dumps(value))
    if name != "manifest.json":
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def windows():
    return walks(64, seed=6)


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx", "weights.npz", "golden.json", "parity.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelRefused, match=f"{name}: missing"):
        Forecaster(folder)


@pytest.mark.parametrize("name", ["model_lstm.pth", "model.onnx", "weights.npz", "golden.json", "parity.json"])
def test_a_file_that_is_not_the_manifests_is_named(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(ModelRefused, match=f"{name}: not the file that manifest.json names"):
        Forecaster(folder)


def test_it_serves_without_the_pytorch_file(folder):
    (folder / "model_lstm.pth").unlink()
    assert Forecaster(folder).model_digest


def test_a_manifest_of_another_schema_version_is_refused(folder):
    rewrite(folder, "manifest.json", lambda manifest: manifest.update(schema_version=2))
    with pytest.raises(ModelRefused, match="manifest.json: schema version 2, this code reads 1"):
        Forecaster(folder)


def test_a_manifest_that_leaves_a_file_out_is_refused(folder):
    rewrite(folder, "manifest.json", lambda manifest: manifest["files"].pop("golden.json"))
    with pytest.raises(ModelRefused, match="its list of files lacks, or should not hold, golden.json"):
        Forecaster(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"schema_version": 1}'])
def test_a_manifest_that_is_none_is_refused(folder, content):
    (folder / "manifest.json").write_text(content)
    with pytest.raises(ModelRefused, match="manifest.json"):
        Forecaster(folder)


def test_a_golden_answer_off_beyond_tolerance_is_refused(folder):
    def nudge(golden):
        golden["quantiles"][0][0][3] *= 1 + 10 * golden["relative_tolerance"]

    rewrite(folder, "golden.json", nudge)
    with pytest.raises(ModelRefused, match=r"golden.json: the model's answers differ from PyTorch's by"):
        Forecaster(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda golden: golden["quantiles"].pop(),
        lambda golden: golden["prices"][0].pop(),
        lambda golden: [row.pop() for row in golden["prices"]],
        lambda golden: golden["quantiles"][0][0].__setitem__(0, None),
        lambda golden: golden.update(prices=[], quantiles=[]),
    ],
)
def test_golden_answers_of_another_shape_or_not_numbers_are_refused(folder, change):
    rewrite(folder, "golden.json", change)
    with pytest.raises(ModelRefused, match="golden.json"):
        Forecaster(folder)


def test_a_golden_tolerance_that_forgives_everything_forgives_nothing(folder):
    def forgive(golden):
        golden["relative_tolerance"] = 1e9
        golden["quantiles"][0][0][3] *= 1.01

    rewrite(folder, "golden.json", forgive)
    with pytest.raises(ModelRefused, match="more than 0.001"):
        Forecaster(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"window": 30},
        {"horizon": 9},
        {"quantiles": [0.1, 0.5, 0.9]},
        {"quantiles": [0.1, 0.9]},
        {"quantiles": [0.025, 0.1, 0.25, 0.6, 0.75, 0.9, 0.975]},
        {"quantiles": []},
        {"quantiles": [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975]},
    ],
)
def test_a_manifest_that_describes_another_graph_is_refused(folder, change):
    rewrite(folder, "manifest.json", lambda manifest: manifest.update(change))
    with pytest.raises(ModelRefused, match="manifest.json: "):
        Forecaster(folder)


def test_a_manifest_can_not_send_the_reader_elsewhere(folder):
    rewrite(folder, "manifest.json", lambda manifest: manifest["files"].update({"../../secret": "0" * 64}))
    with pytest.raises(ModelRefused, match="its list of files"):
        Forecaster(folder)


def test_a_graph_that_onnxruntime_can_not_load_is_refused(folder):
    (folder / "model.onnx").write_bytes(b"not a graph")
    digest = hashlib.sha256(b"not a graph").hexdigest()
    rewrite(folder, "manifest.json", lambda manifest: manifest["files"].update({"model.onnx": digest}))
    with pytest.raises(ModelRefused, match="parity.json: certifies another model.onnx"):
        Forecaster(folder)
    rewrite(folder, "parity.json", lambda parity: parity.update(model_sha256=digest))
    with pytest.raises(ModelRefused, match="model.onnx: onnxruntime can't load it"):
        Forecaster(folder)


def test_the_session_runs_in_one_thread_that_never_spins_and_keeps_no_arena():
    options = open_session(MODELS / "model.onnx").get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.enable_cpu_mem_arena is False


def test_the_verdict_is_that_of_this_very_model(folder, forecaster):
    evaluation = {"schema_version": 1, "model_digest": forecaster.model_digest, "verdict": "calibrated"}
    assert forecaster.verdict == json.loads((MODELS / "evaluation.json").read_text())["verdict"]
    (folder / "evaluation.json").unlink()
    assert Forecaster(folder).verdict == "unevaluated"
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    assert Forecaster(folder).verdict == "calibrated"
    (folder / "evaluation.json").write_text(json.dumps({**evaluation, "model_digest": "0" * 12}))
    assert Forecaster(folder).verdict == "unevaluated"


def test_answers_depend_on_their_own_prices_alone(forecaster, windows):
    """PETR4 asked after VALE3 gives the very answer it gives alone: h and c live for one run only."""
    alone = forecaster.quantiles(windows[:1])
    forecaster.quantiles(windows[5:6] * 1000)
    assert np.array_equal(forecaster.quantiles(windows[:1]), alone)
    assert np.array_equal(forecaster.quantiles(windows[::-1].copy())[::-1], forecaster.quantiles(windows))
    assert np.allclose(forecaster.quantiles(windows)[:1], alone, rtol=1e-7, atol=0)


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 7.0, 1e3, 1e6])
def test_multiplying_prices_multiplies_every_answer(forecaster, windows, factor):
    scaled = forecaster.quantiles(windows * factor)
    assert np.allclose(scaled, forecaster.quantiles(windows) * factor, rtol=1e-9, atol=0)


def test_intervals_pair_the_quantiles_around_the_median():
    levels = intervals_of([0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975])
    assert levels == {95.0: (0, 6), 80.0: (1, 5), 50.0: (2, 4)}
    assert intervals_of([0.5]) == {}


def test_the_manifest_says_what_the_model_is(forecaster):
    manifest = read_manifest(MODELS)
    assert (manifest.window, manifest.cell, manifest.layers, manifest.hidden_size) == (60, "lstm", 2, 50)
    assert forecaster.model_digest == hashlib.sha256((MODELS / "model.onnx").read_bytes()).hexdigest()[:12]
