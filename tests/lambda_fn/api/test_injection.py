"""Client text stays out of the log, out of other headers and out of the routing."""

import json

import pytest

from lambda_fn.api import event
from lambda_fn.api.handler import routes
from tests.lambda_fn.api.answers import INFER, PREDICT, answered
from tests.lambda_fn.api.hostile_bodies import tensors
from tests.lambda_fn.conftest import event as event_of

MARK = "FORGED"
PRICE = 31337.25  # nowhere else in an answer or a line: five digits alone can be those of a timestamp
FORGED = [  # each holds the mark, to be looked for
    'FORGED\n{"status":200,"FORGED":1}',
    "FORGED\r\n\r\nFORGED",
    "\x1b[2J\x1b[31mFORGED\x1b[0m",
    '{"FORGED":"FORGED"}',
    '","FORGED":"',
    "FORGED\x00\x7f\x85\u2028\u2029",
    "FORGED\u202e\ufeff\U0001f600",
    "FORGED\ud800",
    "${jndi:ldap://FORGED}",
    "%0d%0aFORGED: 1",
    "FORGED" * 20_000,
]


def short(text):
    """A test's name of a text that may be long or hold what a name can't."""
    return ascii(text[:40])


def everywhere(text, body=None, *, path=PREDICT, method="POST"):
    """A request with this text in every place that a client writes, but the path, the method and the body."""
    asked = event_of(body, path=path, method=method)
    asked["headers"].update(
        {"user-agent": text, "x-request-id": text, "x-amzn-trace-id": text, "cookie": text, text: text}
    )
    asked["headers"]["accept-encoding"] = text
    asked.update(rawQueryString=text, cookies=[text], queryStringParameters={text: text}, pathParameters={text: text})
    asked["requestContext"]["http"].update(userAgent=text, sourceIp=text, path=text, protocol=text)
    asked["requestContext"].update(domainName=text, routeKey=text, authorizer={"jwt": {"claims": {text: text}}})
    return asked


def single(text):
    return json.dumps({"prices": [PRICE] * 60, "calendar": text})


def series(text):
    wrong, right = {"id": text[:150], "prices": [PRICE, text]}, {"id": "x" + text[:150], "prices": [PRICE] * 60}
    return json.dumps({"series": [wrong, right, {"id": "z", "prices": [-PRICE] * 60}]})


def keyed(text):
    return json.dumps({"prices": [PRICE] * 60, text: text})


def unread(text):
    return '{"prices": [' + str(PRICE) + text


def tensor(text):
    data = json.dumps([PRICE] * 60)
    return tensors(data, more=f',"id":{json.dumps(text)},"parameters":{{{json.dumps(text)}:1}}')


def wrong_tensor(text):
    return tensors(json.dumps([PRICE, text]), more=f',"outputs":[{{"name":{json.dumps(text)}}}]')


def said(value):
    """Every text of a JSON value, keys too."""
    if isinstance(value, dict):
        return {*value, *(text for inner in value.values() for text in said(inner))}
    if isinstance(value, list):
        return {text for inner in value for text in said(inner)}
    return {value} if isinstance(value, str) else set()


@pytest.fixture
def vocabulary():
    """Every text of the lines of requests in which a client writes nothing of its own."""
    prices = [40 + 0.1 * (day % 7) for day in range(60)]
    lines = [
        answered(event_of({"prices": prices})).line,
        answered(event_of({"series": [{"id": "a", "prices": prices}, {"id": "b", "prices": []}]})).line,
        answered(event_of({"series": [{"id": "a", "prices": [0] * 60}]})).line,
        answered(event_of(tensors("[40]"), path=INFER)).line,
        answered(event_of("{")).line,
        answered(event_of({}, content_type="text/plain")).line,
        answered(event_of(path="/nowhere")).line,
        answered(event_of(path=PREDICT, method="GET")).line,
    ]
    return {text for line in lines for text in said(line)} | {INFER, "ColdStart"}


@pytest.fixture
def check(vocabulary, caplog, capfd):
    """Sends an event; its one line, and all else that is written anywhere, must hold nothing but the vocabulary."""

    def sent(asked):
        answer = answered(asked)
        elsewhere = capfd.readouterr()
        assert (elsewhere.out, elsewhere.err, caplog.text) == ("", "", "")
        assert answer.printed.isprintable() or answer.printed[:-1].isprintable()
        assert said(answer.line) - {answer.line["request_id"]} <= vocabulary
        assert str(PRICE) not in answer.printed
        return answer

    return sent


@pytest.mark.parametrize("forged", FORGED, ids=short)
@pytest.mark.parametrize("body", [single, series, keyed, unread])
def test_nothing_that_a_client_writes_into_a_request_gets_into_its_log_line(check, forged, body):
    assert MARK not in check(everywhere(forged, body(forged))).printed


@pytest.mark.parametrize("forged", FORGED, ids=short)
@pytest.mark.parametrize("body", [tensor, wrong_tensor, unread])
def test_nothing_of_an_inference_request_gets_into_its_log_line(check, forged, body):
    assert MARK not in check(everywhere(forged, body(forged), path=INFER)).printed


@pytest.mark.parametrize("forged", FORGED, ids=short)
@pytest.mark.parametrize("place", ["path", "method", "content-type", "content-encoding", "binary"])
def test_nothing_of_a_refused_requests_head_gets_into_its_log_line(check, forged, place):
    asked = everywhere(forged, single("BVMF"), path=INFER if place == "binary" else PREDICT)
    if place == "path":
        asked["rawPath"] = asked["requestContext"]["http"]["path"] = "/" + forged
    elif place == "method":
        asked["requestContext"]["http"]["method"] = forged
    else:
        asked["headers"][{"binary": "inference-header-content-length"}.get(place, place)] = forged
    answer = check(asked)
    assert answer.status == {"path": 404, "method": 405}.get(place, 415)
    assert MARK not in answer.printed


@pytest.mark.parametrize("forged", FORGED, ids=short)
def test_nothing_of_what_is_no_event_gets_into_its_log_line(check, forged):
    for asked in (
        forged,
        [forged],
        {forged: forged},
        {**event_of(), "headers": {forged: 1}},
        {**event_of(), "body": [forged]},
    ):
        answer = check(asked)
        assert (answer.status, answer.line["request_id"]) == (400, "lambda-1")
        assert MARK not in answer.printed


@pytest.mark.parametrize("forged", FORGED, ids=short)
def test_a_forged_request_id_is_one_printable_word_in_the_line_and_the_header(check, forged):
    asked = event_of(single("x"))
    asked["requestContext"]["requestId"] = forged
    answer = check(asked)
    kept = "".join(letter for letter in forged[:128] if 32 <= ord(letter) < 127)
    assert answer.line["request_id"] == answer.headers["x-request-id"] == answer.body["instance"] == kept
    assert said(json.loads(answer.printed)) >= {kept}  # a value, whatever it looks like
    assert answer.line["status"] == answer.status == 422


@pytest.mark.parametrize("empty", ["é", "\u202e\ufeff", "\r\n", "\x00", "\U0001f600"])
def test_a_request_id_without_one_printable_letter_is_lambdas(empty):
    asked = event_of()
    asked["requestContext"]["requestId"] = empty
    assert answered(asked).headers["x-request-id"] == "lambda-1"


@pytest.mark.parametrize(
    "text",
    ["FORGED", "a\r\nSet-Cookie: FORGED", "FORGED\nX: 1", "FORGED\rX: 1", "FORGED\x00", "FORGED\x0b\x0c\x85\u2028"],
)
@pytest.mark.parametrize("status", [200, 404, 405, 413, 415, 422])
def test_no_header_of_an_answer_holds_what_a_client_wrote(text, status):
    """And so no line break of its: `checked` looks for those in every answer of these tests."""
    asked = everywhere(text, json.dumps({"prices": [40.0] * 60}))
    if status == 404:
        asked["rawPath"] = "/" + text
    elif status == 405:
        asked["requestContext"]["http"]["method"] = text
    elif status == 413:
        asked = everywhere(text, tensors(json.dumps([40.0] * 60), more=',"id":"%s"' % ("i" * 6_000_000)), path=INFER)
    elif status == 415:
        asked["headers"]["content-type"] = text
    elif status == 422:
        asked["body"] = json.dumps({"prices": [], text: 1})
    answer = answered(asked)
    assert answer.status in ({413, 422} if status == 413 else {status})
    assert not [name for name, value in answer.headers.items() if MARK in name + value or "Cookie" in name + value]


@pytest.mark.parametrize("breaks", ["\r\n", "\n", "\r", "\x00", "\x0b", "\x85", "\u2028"])
def test_a_line_break_in_a_request_id_is_left_out(breaks):
    asked = event_of()
    asked["requestContext"]["requestId"] = f"a{breaks}Set-Cookie: b"
    assert answered(asked).headers["x-request-id"] == "aSet-Cookie: b"


TRICKS = [
    *(
        "/../predict",
        "/./predict",
        "//predict",
        "/predict/..",
        "/predict/.",
        "/predict/",
        "/predict//",
        "/x/../predict",
    ),
    *("/PREDICT", "/Predict", "/predict%2f", "/%70redict", "/predict%00", "/predict%0a", "/predict;x", "/predict;"),
    *("/predict?x", "/predict#x", "/predict\x00", "/predict ", " /predict", "/predict\t", "/predict\r", "/predict\\"),
    *("\\predict", "predict", "", "*", "/*", "/.*", "/predic.", "/<path>", "/{proxy+}", "/predict.json"),
    *("/predict:80", "http://x/predict", "/\uff50redict", "/pred\u0131ct", "/pre\u200bdict", "/predict\u202e"),
    *("/predict\ud800", "/\U0001f600", "/predict" * 1000, "/" * 100_000, "/" + "a" * 1_000_000),
    *("/v2/models/efemera/infer/..", "/v2/models/../models/efemera/infer", "/v2/models/EFEMERA/infer"),
    *("/v2/models/efemera/versions/0/infer", "/v2/models/efemera/versions/{version}/infer", "/v2models/efemera/infer"),
    *("/$default/predict", "/prod/predict"),
]


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("path", TRICKS, ids=short)
def test_a_path_that_is_nearly_one_of_the_apis_is_404(path, method):
    answer = answered(event_of({"prices": [40.0] * 60}, path=path, method=method))
    assert (answer.status, answer.line["route"]) == (404, "none")
    assert answer.body["type"] == "/problems/not-found"
    assert len(answer.body["detail"]) < 300


def test_a_path_and_a_line_break_are_not_the_path():
    statuses = {}
    for path, methods in routes.items():
        asked = event_of({"prices": [40.0] * 60}, path=f"{path}\n", method=next(iter(methods)))
        statuses[path] = answered(asked).status
    assert statuses == dict.fromkeys(routes, 404)


@pytest.mark.parametrize("method", ["post", "Post", "POST ", "POST\n", "", "P\x00ST", "*", "POST, GET", "PO\u017fT"])
def test_a_method_that_is_nearly_the_right_one_is_405(method):
    assert answered(event_of({"prices": [40.0] * 60}, method=method)).status == 405


@pytest.mark.parametrize("base", ["/prices", "/a/b"])
def test_a_base_path_opens_no_way_around_the_routes(base, monkeypatch):
    monkeypatch.setattr(event, "BASE_PATH", base)
    good = {"prices": [40.0] * 60}
    for path in (
        f"{base}predict",
        f"{base}//predict",
        f"{base}{base}/predict",
        f"{base}/../predict",
        f"{base.upper()}/predict",
    ):
        assert answered(event_of(good, path=path)).status == 404
    assert answered(event_of(good, path=f"{base}/predict")).status == 200


@pytest.mark.parametrize("stage", ["\ud800", "\x00", "a\nb", "\u00e9", "/", ""], ids=short)
def test_a_stage_of_any_name_has_its_openapi_document(stage):
    asked = event_of(path=f"/{stage}/openapi.json", method="GET")
    asked["requestContext"]["stage"] = stage
    assert answered(asked).status == 200
