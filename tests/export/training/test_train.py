"""Training: reproducible, resumable to the very same weights, honest about what it kept."""

import dataclasses

import numpy as np
import pytest
import torch

from export.conversion.onnx_graph import export_onnx
from export.data.prices import make_prices
from export.errors import InputError
from export.training.checkpoint import MODEL_FILE, STATE_FILE, TrainingState, load_tensors, read_checkpoint
from export.training.config import Config, make_config
from export.training.network import Network, pinball
from export.training.train import Progress, _optimizer, _shuffled, _step, loss_of, train
from tests.export.conftest import SMALL

FOUR = dataclasses.replace(SMALL, epochs=4, learning_rate=0.02)


def weights(folder):
    return read_checkpoint(folder / MODEL_FILE)[0].state_dict()


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def uninterrupted(prices, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    train(prices, FOUR, folder)
    return folder


def test_one_seed_gives_the_same_bytes(prices, uninterrupted, tmp_path):
    train(prices, FOUR, tmp_path)
    assert (tmp_path / MODEL_FILE).read_bytes() == (uninterrupted / MODEL_FILE).read_bytes()


def test_another_seed_gives_other_weights(prices, uninterrupted, tmp_path):
    train(prices, dataclasses.replace(FOUR, seed=1), tmp_path)
    assert not same(weights(tmp_path), weights(uninterrupted))


@pytest.mark.slow
@pytest.mark.parametrize("stop_in", [1, 3])
def test_interrupted_in_the_middle_of_an_epoch_it_resumes_to_the_same_weights(prices, uninterrupted, tmp_path, stop_in):
    def interrupt(now: Progress) -> None:
        if now.epoch == stop_in and now.batch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(prices, FOUR, tmp_path, on_progress=interrupt)
    assert (tmp_path / MODEL_FILE).exists()  # the best so far, at worst the untrained start
    train(prices, FOUR, tmp_path, resume=True)
    assert same(weights(tmp_path), weights(uninterrupted))
    states = [load_tensors(folder / STATE_FILE) for folder in (tmp_path, uninterrupted)]
    assert same(states[0]["network"], states[1]["network"])
    assert states[0]["history"][1:] == states[1]["history"][1:]


def test_resuming_with_more_epochs_goes_on_from_the_last_one(prices, tmp_path, uninterrupted):
    train(prices, dataclasses.replace(FOUR, epochs=2), tmp_path)
    seen = []
    train(prices, FOUR, tmp_path, resume=True, on_progress=lambda now: seen.append(now.epoch))
    assert set(seen) == {3, 4}
    assert same(weights(tmp_path), weights(uninterrupted))


@pytest.mark.parametrize(
    ("change", "message"),
    [({"seed": 9}, "was trained with seed = 0, not 9"), ({"hidden_size": 7}, "hidden_size = 6, not 7")],
)
def test_resuming_with_other_settings_is_refused_by_name(prices, uninterrupted, change, message):
    with pytest.raises(InputError, match=message):
        train(prices, dataclasses.replace(FOUR, **change), uninterrupted, resume=True)


def test_resuming_on_other_prices_is_refused(prices, uninterrupted):
    other = dataclasses.replace(prices, y=prices.y * np.linspace(1, 1.1, len(prices.y)))
    with pytest.raises(InputError, match="was trained on other prices"):
        train(other, FOUR, uninterrupted, resume=True)


def test_a_folder_that_holds_a_training_is_not_overwritten(prices, uninterrupted):
    before = (uninterrupted / MODEL_FILE).read_bytes()
    with pytest.raises(InputError, match="already holds a training"):
        train(prices, FOUR, uninterrupted)
    assert (uninterrupted / MODEL_FILE).read_bytes() == before


def test_resuming_what_never_started_names_the_missing_file(prices, tmp_path):
    with pytest.raises(InputError, match=f"holds no training to resume .no {STATE_FILE}"):
        train(prices, FOUR, tmp_path, resume=True)


def test_the_best_epoch_is_kept_not_the_last(prices, tmp_path):
    """A learning rate that soon overshoots: later epochs are worse, and the kept weights are the best one's."""
    config = dataclasses.replace(SMALL, epochs=6, learning_rate=0.3, patience=9)
    trained = train(prices, config, tmp_path)
    losses = [line["validation_loss"] for line in trained.history]
    assert trained.best_epoch == int(np.argmin(losses)) < 6
    short = tmp_path / "short"
    train(prices, dataclasses.replace(config, epochs=trained.best_epoch), short)
    assert same(weights(short), weights(tmp_path))


def test_patience_ends_training_early(prices, tmp_path):
    config = dataclasses.replace(SMALL, epochs=50, learning_rate=0.3, patience=2)
    trained = train(prices, config, tmp_path)
    assert len(trained.history) - 1 == trained.best_epoch + 2


@pytest.mark.slow
def test_a_pattern_that_is_there_is_learned(tmp_path):
    """Returns that alternate in sign by 1%: the guide's net, trained by squared error, must see it."""
    days = np.arange("2020-01-01", "2020-12-01", dtype="datetime64[D]")
    generator = np.random.default_rng(0)
    table = {}
    for name in "AB":
        returns = np.where(np.arange(len(days)) % 2 == 0, 0.01, -0.01) + generator.normal(0, 0.002, len(days))
        table[name] = (days, 100 * np.exp(np.cumsum(returns)))
    config = make_config(
        {"head": "guide", "loss": "mse", "hidden_size": 8, "epochs": 12, "learning_rate": 0.02, "batch_size": 32},
        "test",
    )
    losses = [line["validation_loss"] for line in train(make_prices(table), config, tmp_path).history]
    assert min(losses) < 0.1 * losses[0]


def test_scalings_that_know_the_future_are_refused(prices, tmp_path):
    with pytest.raises(InputError, match="training reads returns"):
        train(prices, Config(scaling="minmax:1,100"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_checkpoint_says_what_it_was_fitted_on(prices, uninterrupted):
    training = read_checkpoint(uninterrupted / MODEL_FILE)[1]
    assert training["data"]["ids"] == ["AAA", "BBB", "CCC"]
    assert training["data"]["rows"] == len(prices)
    assert training["data"]["sha256"] == prices.digest()
    assert training["data"]["last_date"] < training["split"]["test_from"]


def test_pinball_is_the_mean_of_its_definition_worked_by_hand():
    forecast, target = torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[3.0]])
    expected = (0.1 * 2 + 0.5 * 1 + (0.9 - 1) * (3 - 4)) / 3
    assert pinball(forecast, target, torch.tensor([0.1, 0.5, 0.9])).item() == pytest.approx(expected)


def test_the_returned_network_is_the_best_one_that_is_on_disk(prices, tmp_path):
    trained = train(prices, dataclasses.replace(SMALL, epochs=6, learning_rate=0.3), tmp_path)
    assert trained.best_epoch < 6
    assert same(trained.network.state_dict(), weights(tmp_path))


def test_a_resume_after_a_kill_between_the_two_files_writes_the_model_again(prices, uninterrupted, tmp_path):
    train(prices, dataclasses.replace(FOUR, epochs=0), tmp_path)
    stale = (tmp_path / MODEL_FILE).read_bytes()
    (tmp_path / STATE_FILE).write_bytes((uninterrupted / STATE_FILE).read_bytes())
    train(prices, FOUR, tmp_path, resume=True)
    assert (tmp_path / MODEL_FILE).read_bytes() != stale
    assert same(weights(tmp_path), weights(uninterrupted))


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.pop("config"),
        lambda s: s.update(config={}),
        lambda s: s.pop("account"),
        lambda s: s.pop("network"),
        lambda s: s.update(history=[]),
        lambda s: s.update(history=[1]),
        lambda s: s.update(best={}),
        lambda s: s.update(optimizer={}),
        lambda s: s["optimizer"]["state"].clear(),
        lambda s: s["optimizer"]["param_groups"][0].pop("lr"),
        lambda s: s["history"].pop(0),
        lambda s: s["history"].reverse(),
        lambda s: s["network"].update({"linear.bias": torch.zeros(1)}),
    ],
)
def test_a_damaged_state_is_one_clear_line(prices, uninterrupted, tmp_path, change):
    state = load_tensors(uninterrupted / STATE_FILE)
    change(state)
    torch.save(state, tmp_path / STATE_FILE)
    with pytest.raises(InputError, match="training_state.pth: damaged"):
        train(prices, FOUR, tmp_path, resume=True)


def test_base_quantiles_know_nothing_after_the_training_part(prices, tmp_path):
    """Through `train` itself: epoch 0 is the same network whatever the closes from validation on are."""
    config = dataclasses.replace(SMALL, epochs=0)
    split = train(prices, config, tmp_path / "one").split
    later = dataclasses.replace(prices, y=np.where(prices.ds >= split.validation_from, prices.y * 1.5, prices.y))
    train(later, config, tmp_path / "other")
    assert same(weights(tmp_path / "one"), weights(tmp_path / "other"))


def test_progress_says_which_epochs_were_the_best_so_far(prices, tmp_path):
    seen = []
    config = dataclasses.replace(SMALL, epochs=6, learning_rate=0.03, patience=9)
    trained = train(prices, config, tmp_path, on_progress=lambda now: seen.append(now))
    losses = [line["validation_loss"] for line in trained.history]
    told = [now.is_best for now in seen if now.validation_loss is not None]
    assert told == [loss < min(losses[:epoch]) for epoch, loss in enumerate(losses) if epoch]
    assert set(told) == {True, False}


def test_the_training_loss_is_the_mean_over_the_training_windows(prices, tmp_path):
    """With steps too small to move anything, it is the untrained network's loss on the whole part."""
    config = dataclasses.replace(SMALL, epochs=1, learning_rate=1e-9)
    trained = train(prices, config, tmp_path)
    closes, rows = torch.from_numpy(prices.y), torch.from_numpy(trained.split.train)
    with torch.no_grad():
        expected = loss_of(trained.network, closes, rows).item()
    assert trained.history[1]["train_loss"] == pytest.approx(expected, rel=1e-4)


def test_each_epoch_sees_every_window_once_in_an_order_of_its_own():
    rows = torch.arange(500)
    first, second = _shuffled(rows, 0, 1), _shuffled(rows, 0, 2)
    assert torch.equal(first.sort().values, rows)
    assert torch.equal(second.sort().values, rows)
    assert len({tuple(order.tolist()) for order in (rows, first, second, _shuffled(rows, 1, 1))}) == 4


def test_a_step_clips_the_gradient_and_decays_the_weights_of_the_lstm_and_linear_only(prices):
    config = dataclasses.replace(SMALL, clip_norm=1e-3, weight_decay=0.1)
    torch.manual_seed(0)
    network = Network(config)
    optimizer = _optimizer(network)
    _step(network, optimizer, torch.from_numpy(prices.y), torch.arange(50))
    norm = torch.stack([p.grad.norm() for p in network.parameters() if p.grad is not None]).norm()
    assert norm <= 1.001e-3
    decayed = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in network.named_parameters():
        assert decayed[id(parameter)] == (0.1 if "weight" in name and name != "volatility.weight" else 0.0), name


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_what_is_kept_is_the_running_average_of_the_weights(prices, tmp_path, averaging):
    config = dataclasses.replace(SMALL, epochs=1, averaging=averaging)
    seen = []

    class Watched(TrainingState):
        def average(self):
            seen.append(torch.cat([p.detach().flatten().clone() for p in self.network.parameters()]))
            super().average()
            self.last = torch.cat([p.detach().flatten().clone() for p in self.averaged.parameters()])
            kept.append(self.last)

    kept = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("export.training.train.TrainingState", Watched)
        train(prices, config, tmp_path)
    expected = kept[0]
    for step, weights in enumerate(seen[1:], start=1):
        expected = averaging * expected + (1 - averaging) * weights
        torch.testing.assert_close(kept[step], expected, rtol=1e-4, atol=1e-6)
    assert len(seen) > 3


@pytest.mark.slow
def test_one_quantile_is_enough(prices, tmp_path):
    config = Config(horizon=1, quantiles=(0.5,), hidden_size=4, epochs=1)
    network = train(prices, config, tmp_path).network
    assert network(torch.full((2, 60), 5.0, dtype=torch.float64))[1].shape == (2, 1, 1)
    assert export_onnx(network).graph.output
