"""The forecasts of two models never mix: another one is another run, and none goes on with a run of the other's."""

import pytest

from lambda_fn.batch import finish, forecast, plan, served_model
from lambda_fn.batch.errors import BatchRefused, ModelReplaced
from tests.lambda_fn.batch.conftest import MODELS
from tests.lambda_fn.batch.market import DAY
from tests.lambda_fn.batch.runs import asked, contents, forecast_all, path_of, run, shards_of


@pytest.fixture
def planned(prices, tmp_path):
    return plan.plan(asked(prices, tmp_path / "out")).place


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, prices):
    folder = tmp_path_factory.mktemp("undisturbed")
    run(prices, folder)
    return contents(folder)


@pytest.mark.slow
def test_another_model_is_another_folder_and_never_mixes_in(prices, tmp_path, other_model, undisturbed):
    own = run(prices, tmp_path / "out")
    served_model.serve_model(other_model)
    other = run(prices, tmp_path / "out")
    assert own.folder != other.folder
    assert own.folder.name.split("-")[0] == other.folder.name.split("-")[0]  # the same input
    assert other.success.model_version == "other-1"
    assert (own.forecasts["efemera"] != other.forecasts["efemera"]).all()
    assert {key: value for key, value in contents(tmp_path / "out").items() if own.folder.name in key} == undisturbed


def test_a_worker_with_another_model_refuses_the_shard(planned, other_model):
    served_model.serve_model(other_model)
    with pytest.raises(ModelReplaced) as caught:
        forecast.forecast_shard(planned, shards_of(planned)[0])
    assert str(caught.value) == (
        f"run {DAY}/{planned.run} was planned for model {planned.run[-12:]}, and this worker serves "
        f"{served_model.model_digest()}; start the run again"
    )
    assert not (path_of(planned) / "forecasts").exists()


def test_finishing_with_another_model_is_refused(planned, other_model):
    forecast_all(planned)
    served_model.serve_model(other_model)
    with pytest.raises(BatchRefused) as caught:
        finish.finish(planned)
    assert str(caught.value) == f"run {DAY}/{planned.run} was planned for model {planned.run[-12:]}"
    assert not (path_of(planned) / "_SUCCESS.json").exists()


def test_a_model_replaced_between_the_steps_and_back_leaves_no_trace(planned, other_model, undisturbed):
    first, *others = shards_of(planned)
    forecast.forecast_shard(planned, first)
    served_model.serve_model(other_model)
    with pytest.raises(ModelReplaced):
        forecast.forecast_shard(planned, others[0])
    served_model.serve_model(MODELS)
    forecast_all(planned)
    finish.finish(planned)
    assert contents(planned.out) == undisturbed
