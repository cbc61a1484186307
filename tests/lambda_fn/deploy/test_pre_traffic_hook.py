"""Before traffic: a version that answers otherwise than it was built to gets none, and the log says in what."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from lambda_fn.deploy import pre_traffic_hook
from lambda_fn.deploy.pre_traffic_hook import ATTEMPTS, BAD_PRICE_POSITION
from tests.lambda_fn.conftest import MODELS
from tests.lambda_fn.deploy.conftest import Lambda, event
from tests.lambda_fn.deploy.stand_in import Response, real, refusal

ARN = "arn:aws:lambda:us-east-1:123456789012:function:efemera-ApiFunction-Xy1:42"
GOLDEN, HALF, NEGATIVE = (
    f"POST /predict of {what}" for what in ("the golden windows", "half a body", "a negative price")
)


@pytest.fixture(autouse=True)
def _new_version(monkeypatch):
    monkeypatch.setenv("NEW_VERSION", ARN)


@pytest.fixture
def faults(aws, logged):
    """Run the hook, which must report Failed once and log one line; return its faults."""

    def run(context=None):
        assert pre_traffic_hook.handler(event("hook"), context or Lambda()) == {"status": "Failed"}
        assert aws.statuses == ["Failed"]
        [line] = logged("ERROR")
        assert (line["message"], line["version"]) == ("the new version is refused", ARN)
        assert line["count"] >= len(line["faults"]) >= 1
        return line["faults"]

    return run


def test_a_version_that_answers_as_it_was_built_to_gets_traffic(aws, logged):
    assert pre_traffic_hook.handler(event("hook"), Lambda()) == {"status": "Succeeded"}
    told = event("hook")
    assert aws.told == [
        {
            "deploymentId": told["DeploymentId"],
            "lifecycleEventHookExecutionId": told["LifecycleEventHookExecutionId"],
            "status": "Succeeded",
        }
    ]
    assert logged("ERROR") == []
    assert [(line["message"], line["version"]) for line in logged("INFO")] == [
        ("the new version answers as it must", ARN)
    ]


def test_the_very_version_is_asked_and_each_request_says_on_whose_behalf(aws):
    pre_traffic_hook.handler(event("hook"), Lambda())
    assert {function for function, _ in aws.invoked} == {ARN}
    sent = [request for _, request in aws.invoked]
    assert [(one["requestContext"]["http"]["method"], one["rawPath"]) for one in sent] == [
        ("GET", "/health"), ("POST", "/predict"), ("POST", "/predict"), ("POST", "/predict"),
    ]  # fmt: skip
    assert {one["requestContext"]["requestId"] for one in sent} == {"hook-d-A1B2C3D4E"}
    golden = json.loads((MODELS / "golden.json").read_text())["prices"]
    assert [series["prices"] for series in json.loads(sent[1]["body"])["series"]] == golden


def change(name, path, **values):
    """Alter the body that answers a request to `path`, where it holds `name`."""

    def mutate(request, _answer, body):
        if request["rawPath"] == path and name in body:
            body |= values

    return mutate


@pytest.mark.parametrize("name", ["model_digest", "model_version"])
@pytest.mark.parametrize(("path", "where"), [("/health", "GET /health"), ("/predict", GOLDEN)])
def test_another_model_is_refused(aws, faults, name, path, where):
    aws.mutate(change(name, path, **{name: "another"}))
    [fault] = faults()
    expected = json.loads((MODELS / "manifest.json").read_text())
    expected = {"model_digest": expected["files"]["model.onnx"][:12], "model_version": expected["model_version"]}
    assert fault == f'{where}: /{name} is "another", not "{expected[name]}"'


def test_one_quantile_that_is_off_by_a_thousandth_is_refused_and_named(aws, faults):
    def mutate(_request, _answer, body):
        if "forecasts" in body:
            body["forecasts"][3]["steps"][1]["intervals"]["80"][0] *= 1.001

    aws.mutate(mutate)
    [fault] = faults()
    assert fault.startswith(f"{GOLDEN}: /forecasts/3/steps/1/intervals/80/0 is ")
    assert fault.endswith(": off by 0.00093, at most 6.1e-06 may be")  # of the last price, which is larger


def alter(number, **values):
    """Alter one forecast."""
    return lambda forecasts: forecasts[number].update(values)


def alter_step(number, **values):
    """Alter the first step of a forecast."""
    return lambda forecasts: forecasts[number]["steps"][0].update(values)


def refuse_all(forecasts):
    forecasts[:] = [{"id": one["id"], "error": {}} for one in forecasts]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutate", "told"),
    [
        (lambda forecasts: forecasts.pop(), "/forecasts is "),
        (lambda forecasts: forecasts.reverse(), '/forecasts/0/id is "golden-5", not "golden-0"'),
        (refuse_all, "/forecasts/0/predicted_price is null, not 0.0222"),
        (lambda forecasts: forecasts[2]["steps"].pop(), "/forecasts/2/steps is "),
        (alter(0, steps=None), "/forecasts/0/steps is null, not "),
        (alter(1, naive_price="71"), '/forecasts/1/naive_price is "71", not 71.06'),
        (alter(1, predicted_price=80.0), "/forecasts/1/predicted_price is 80.0, not "),
        (alter_step(1, intervals={}), "/forecasts/1/steps/0/intervals/95 is null, not "),
        (alter_step(1, step=2), "/forecasts/1/steps/0/step is 2, not 1"),
        (alter_step(1, median=float("nan")), "/forecasts/1/steps/0/median is nan, not "),
        (alter_step(4, median=True), "/forecasts/4/steps/0/median is true, not "),
    ],
)
def test_a_forecast_that_lacks_something_or_holds_another_is_refused_and_named(aws, faults, mutate, told):
    aws.mutate(lambda _request, _answer, body: mutate(body["forecasts"]) if "forecasts" in body else None)
    assert faults()[0].startswith(f"{GOLDEN}: {told}")


def replace(path, body, status, content, kind="application/problem+json"):
    """Answer one request otherwise, the others as ever."""
    answer = {"statusCode": status, "headers": {"content-type": kind}, "body": json.dumps(content)}

    def answers(request):
        is_meant = request["rawPath"] == path and (request["body"] or "").startswith(body)
        return Response(200, answer) if is_meant else real(request)

    return answers


BROKEN, LONE = '{"prices": [', '{"prices": [0'


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (replace("/health", "", 503, {"detail": "no"}), 'GET /health: status 503, not 200: {"detail": "no"}'),
        (replace("/health", "", 200, "ok"), "GET /health: application/problem+json, not application/json"),
        (replace("/predict", '{"series"', 500, {}), f"{GOLDEN}: status 500, not 200: {{}}"),
        (replace("/predict", LONE, 200, {}), f"{NEGATIVE}: status 200, not 422: {{}}"),
        (replace("/predict", LONE, 422, {"status": 422}), f"{NEGATIVE}: /errors is null, not "),
        (
            replace("/predict", LONE, 422, {"status": 422, "errors": [{"pointer": "/prices/8"}]}),
            f'{NEGATIVE}: /errors/0/pointer is "/prices/8", not "/prices/{BAD_PRICE_POSITION}"',
        ),
        (
            replace("/predict", LONE, 422, {"status": 422, "errors": [{"pointer": "/prices/7"}]}, "application/json"),
            f"{NEGATIVE}: application/json, not application/problem+json",
        ),
    ],
)
def test_an_answer_of_another_status_or_kind_is_refused(aws, faults, answers, told):
    aws.answers = answers
    assert faults()[0].startswith(told)


def test_half_a_body_that_is_not_refused_with_400_is_a_fault(aws, faults):
    def answers(request):
        if request["body"] == BROKEN:
            return Response(200, {"statusCode": 422, "headers": {"content-type": "x"}, "body": "{}"})
        return real(request)

    aws.answers = answers
    assert faults() == [f"{HALF}: status 422, not 400: {{}}"]


def test_a_version_that_crashes_is_refused_with_what_it_said(aws, faults):
    crash = {"errorType": "ModelRefused", "errorMessage": "models/model.onnx: not the file that manifest.json names"}
    aws.answers = lambda _: Response(200, crash, {"X-Amz-Function-Error": "Unhandled"})
    assert faults() == [f"GET /health: the function failed, {json.dumps(crash)}"]
    assert len(aws.invoked) == 1


@pytest.mark.parametrize(
    "answer",
    [None, [], "ok", {"statusCode": 200}, {"statusCode": 200, "headers": {"content-type": "x"}, "body": "<p>"}],
)
def test_an_answer_that_is_none_of_an_api_is_refused(aws, faults, answer):
    aws.answers = lambda _: Response(200, answer)
    [fault] = faults()
    assert fault.startswith("GET /health: this is no answer of the API: ")


def test_a_version_that_hangs_is_asked_once_and_refused(aws, faults, monkeypatch):
    monkeypatch.setattr(pre_traffic_hook, "READ_TIMEOUT", 0.2)
    aws.answers = aws.hang
    [fault] = faults()
    assert fault.startswith("GET /health: Read timeout on endpoint URL")
    assert len(aws.invoked) == 1


def throttling(times):
    """Lambda says 429 for so many tries, then lets all through."""
    left = [refusal(429, "TooManyRequestsException")] * times
    return lambda request: left.pop() if left else real(request)


def test_a_throttled_request_is_made_again(aws, pauses):
    aws.answers = throttling(ATTEMPTS - 1)
    assert pre_traffic_hook.handler(event("hook"), Lambda()) == {"status": "Succeeded"}
    assert len(aws.invoked) == ATTEMPTS - 1 + 4
    assert len(pauses) == ATTEMPTS - 1
    assert sum(pauses) <= 15


def test_a_version_that_is_throttled_for_good_is_refused(aws, faults, pauses):
    aws.answers = throttling(10**3)
    [fault] = faults()
    assert fault.startswith("GET /health: An error occurred (TooManyRequestsException)")
    assert (len(aws.invoked), len(pauses)) == (ATTEMPTS, ATTEMPTS - 1)


def test_without_permission_it_is_refused_at_once(aws, faults):
    aws.answers = lambda _: refusal(403, "AccessDeniedException")
    assert "AccessDeniedException" in faults()[0]
    assert len(aws.invoked) == 1


def test_no_try_begins_that_could_leave_no_time_to_report(aws, faults):
    assert faults(Lambda(seconds=74))[0].startswith("74 s are left, and a call may take 30 s; 45 s come after it")
    assert aws.invoked == []


def test_time_that_runs_out_between_two_requests_is_seen(aws, faults):
    context = Lambda(seconds=76)

    def answers(request):
        context.seconds -= 2
        return real(request)

    aws.answers = answers
    assert faults(context)[0].startswith("74 s are left")
    assert len(aws.invoked) == 1


@pytest.mark.parametrize("missing", ["NEW_VERSION", "EFEMERA_MODELS"])
def test_a_fault_of_the_hook_itself_fails_the_deployment_and_leaves_its_stack(
    aws, logged, monkeypatch, tmp_path, missing
):
    monkeypatch.delenv(missing) if missing == "NEW_VERSION" else monkeypatch.setenv(missing, str(tmp_path))
    assert pre_traffic_hook.handler(event("hook"), Lambda()) == {"status": "Failed"}
    assert aws.statuses == ["Failed"]
    unexpected, refused = logged("ERROR")
    assert "Traceback" in unexpected["stack"]
    assert refused["faults"][0].startswith("the check itself failed: ")


def test_of_very_many_faults_the_first_are_told_and_all_are_counted(aws, logged):
    def mutate(_request, _answer, body):
        for forecast in body.get("forecasts", []):
            for step in forecast["steps"]:
                step["intervals"] = {}

    aws.mutate(mutate)
    pre_traffic_hook.handler(event("hook"), Lambda())
    [line] = logged("ERROR")
    assert (line["count"], len(line["faults"])) == (6 * 5 * 3, pre_traffic_hook.MOST_FAULTS)


@pytest.mark.parametrize("answers", [real, lambda _: Response(200, None)], ids=["good", "bad"])
def test_a_report_that_fails_for_good_raises(aws, answers):
    aws.answers = answers
    aws.codedeploy = [refusal(400, "DeploymentDoesNotExistException")]
    with pytest.raises(ClientError, match="DeploymentDoesNotExistException"):
        pre_traffic_hook.handler(event("hook"), Lambda())
    assert aws.told == []


@pytest.mark.slow
def test_a_report_that_fails_for_a_moment_is_made_again(aws, pauses):
    aws.codedeploy = [refusal(503, "ServiceUnavailable"), refusal(400, "ThrottlingException")]
    pre_traffic_hook.handler(event("hook"), Lambda())
    assert aws.statuses == ["Succeeded"]
    assert len(pauses) == 2


def test_an_event_that_names_no_deployment_raises_as_nobody_can_be_told(aws):
    with pytest.raises(KeyError):
        pre_traffic_hook.handler({}, Lambda())
    assert aws.told == []
