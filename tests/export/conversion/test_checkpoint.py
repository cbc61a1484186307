"""Checkpoints: ours come back as they were, the guide's own come in, and anything else is one clear line."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from export.conversion.convert import export_bundle
from export.conversion.state_dict import read_state_dict
from export.errors import InputError
from export.training.checkpoint import read_checkpoint, save_checkpoint
from lambda_fn.model.forecaster import Forecaster
from tests.export.conftest import SMALL, stirred


class GuideNet(nn.Module):
    """The study guide's network as a student writes it, far from this project."""

    def __init__(self, cell=nn.LSTM, hidden=50, layers=2):
        super().__init__()
        self.lstm = cell(1, hidden, layers, batch_first=True)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, x):
        output, _ = self.lstm(x)
        return self.linear(output[:, -1])


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    network = stirred(SMALL)
    save_checkpoint(tmp_path / "a.pth", network, {"data": None})
    again, training = read_checkpoint(tmp_path / "a.pth")
    assert again.config == SMALL
    assert training == {"data": None}
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    ("cell", "hidden", "layers"), [(nn.LSTM, 50, 2), (nn.LSTM, 7, 1), (nn.GRU, 9, 2), (nn.RNN, 5, 3)]
)
def test_cell_size_and_layers_are_read_from_the_shapes(tmp_path, cell, hidden, layers):
    torch.save(GuideNet(cell, hidden, layers).state_dict(), tmp_path / "my.pth")
    config = read_state_dict(tmp_path / "my.pth", "minmax:10,50", 60).config
    assert (config.cell, config.hidden_size, config.layers, config.head) == (
        cell.__name__.lower(),
        hidden,
        layers,
        "guide",
    )


@pytest.mark.slow
@pytest.mark.parametrize("scaling", ["minmax:12.5,48.25", "standard:30.1,6.2"])
def test_a_scaled_guide_checkpoint_answers_the_numbers_of_its_original(tmp_path, scaling):
    """Scale as scikit-learn does, run the student's net, undo the scaling: the served ONNX says the same prices."""
    torch.manual_seed(1)
    net = GuideNet(hidden=9).eval()
    torch.save(net.state_dict(), tmp_path / "my.pth")
    export_bundle(read_state_dict(tmp_path / "my.pth", scaling, 60), {}, tmp_path / "out")
    forecaster = Forecaster(tmp_path / "out")

    prices = np.random.default_rng(0).uniform(13, 48, (20, 60))
    first, second = (float(number) for number in scaling.partition(":")[2].split(","))
    offset, factor = (first, second - first) if scaling.startswith("minmax") else (first, second)
    with torch.no_grad():
        scaled = net(torch.from_numpy((prices - offset) / factor).float().unsqueeze(-1))
    original = scaled.double().numpy()[:, 0] * factor + offset
    np.testing.assert_allclose(forecaster.quantiles(prices)[:, 0, 0], original, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("linear.bias"), "key 'linear.bias' is missing"),
        (lambda s: s.pop("lstm.weight_hh_l1"), "key 'lstm.weight_hh_l1' is missing"),
        (lambda s: s.update(fc=torch.zeros(1)), r"keys lstm.\* and linear.\* is needed, found fc"),
        (lambda s: s.update({"lstm.weight_hh_l0": torch.zeros(100, 50)}), "fits no cell"),
        (lambda s: s.update({"lstm.weight_hh_l0": torch.zeros(200)}), "fits no cell"),
        (lambda s: s.update({"lstm.weight_ih_l0": torch.zeros(200, 3)}), r"expected \(200, 1\): one input a day"),
        (
            lambda s: s.update({"linear.weight": torch.zeros(2, 50)}),
            r"linear.weight has shape \(2, 50\), expected \(1, 50\)",
        ),
        (lambda s: s.update({"linear.weight": torch.zeros(1, 50).double()}), "linear.weight is torch.float64"),
        (
            lambda s: s.update({"linear.bias": torch.tensor([float("nan")])}),
            "linear.bias holds a value that is not finite",
        ),
        (
            lambda s: s.update({"lstm.weight_ih_l0_reverse": torch.zeros(200, 1)}),
            "'lstm.weight_ih_l0_reverse' does not belong",
        ),
        (lambda s: s.clear(), "found no key at all"),
        (lambda s: s.update({"lstm.weight_hh_l0": torch.zeros(0, 0)}), "fits no cell"),
        (lambda s: s.update({"linear.bias": 3}), r"keys lstm.\* and linear.\* is needed, found linear.bias"),
        (lambda s: s.update({"linear.bias": torch.zeros(1).to_sparse()}), "is needed, found linear.bias"),
        (lambda s: s.update({7: torch.zeros(1)}), "is needed, found 7"),
    ],
)
def test_a_state_dict_that_does_not_fit_is_named_by_key(tmp_path, change, message):
    state = GuideNet().state_dict()
    change(state)
    torch.save(dict(state), tmp_path / "my.pth")
    with pytest.raises(InputError, match=message) as error:
        read_state_dict(tmp_path / "my.pth", "none", 60)
    assert "my.pth" in str(error.value)
    assert "\n" not in str(error.value)


class Trap:
    """Unpickling this would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_file_that_needs_unpickling_of_code_is_refused_and_not_run(tmp_path):
    torch.save({"lstm": Trap(tmp_path / "sprung")}, tmp_path / "trap.pth")
    with pytest.raises(InputError, match="would run code from the file"):
        read_state_dict(tmp_path / "trap.pth", "none", 60)
    assert not (tmp_path / "sprung").exists()


def test_a_pickled_model_object_is_told_how_to_save_itself(tmp_path):
    torch.save(GuideNet(), tmp_path / "whole.pth")
    with pytest.raises(InputError, match=r"torch\.save\(model\.state_dict\(\), path\)"):
        read_state_dict(tmp_path / "whole.pth", "none", 60)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps([1, 2])])
def test_a_file_that_is_no_checkpoint_is_one_clear_line(tmp_path, content):
    (tmp_path / "bad.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.pth: ") as error:
        read_state_dict(tmp_path / "bad.pth", "none", 60)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "training",
    [
        {"data": {"ids": 1}},
        {"data": "x"},
        {"data": {"ids": [], "rows": 1, "first_date": "", "last_date": "never", "sha256": "0" * 64}},
    ],
)
def test_an_account_of_training_that_can_not_be_right_is_refused(tmp_path, training):
    save_checkpoint(tmp_path / "a.pth", stirred(SMALL), training)
    with pytest.raises(InputError, match="what it says of its training data can't be right"):
        read_checkpoint(tmp_path / "a.pth")


def test_a_truncated_checkpoint_is_one_clear_line(tmp_path):
    save_checkpoint(tmp_path / "a.pth", stirred(SMALL), {})
    (tmp_path / "a.pth").write_bytes((tmp_path / "a.pth").read_bytes()[:2000])
    with pytest.raises(InputError, match=r"a\.pth: not a PyTorch checkpoint"):
        read_checkpoint(tmp_path / "a.pth")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.pth: no such file"):
        read_checkpoint(tmp_path / "none.pth")


def test_a_plain_state_dict_without_scaling_is_told_to_say_it(tmp_path):
    torch.save(GuideNet().state_dict(), tmp_path / "my.pth")
    with pytest.raises(InputError, match="say how prices were scaled, with --scaling minmax:LOW,HIGH"):
        read_checkpoint(tmp_path / "my.pth")


@pytest.mark.parametrize(
    ("scaling", "message"),
    [
        ("minmax", "two numbers belong after the colon"),
        ("minmax:1", "two numbers belong after the colon"),
        ("minmax:5,1", "HIGH must be above LOW"),
        ("standard:1,0", "STD must be positive"),
        ("standard:nan,1", "must be finite"),
        ("robust", "takes minmax:LOW,HIGH, standard:MEAN,STD, returns or none"),
        ("ewma", "takes minmax:LOW,HIGH, standard:MEAN,STD, returns or none"),
        ("none:1", "is not one of"),
    ],
)
def test_a_scaling_that_is_none_is_named(tmp_path, scaling, message):
    torch.save(GuideNet().state_dict(), tmp_path / "my.pth")
    with pytest.raises(InputError, match=message):
        read_state_dict(tmp_path / "my.pth", scaling, 60)
