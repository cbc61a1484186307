"""Write lambda_fn/api/openapi.json: what the API takes and answers, from the types that decode and encode it.

`make openapi` runs it with the project's environment; `--check` writes nothing and exits 3 where the file is not
current. The schemas come from msgspec, the answers shown from the handler itself. What JSON Schema can't say of a
request stands in its description.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

os.environ["POWERTOOLS_METRICS_DISABLED"] = "true"
os.environ["POWERTOOLS_LOG_LEVEL"] = "ERROR"
os.environ.pop("EFEMERA_MODELS", None)  # the project's own model is the one described

import msgspec

from lambda_fn import __version__
from lambda_fn.api import model_card, open_inference
from lambda_fn.api.explain_response import Explained
from lambda_fn.api.forecast_response import Forecast, Forecasts, SeriesForecast, SeriesRefused
from lambda_fn.api.handler import forecaster, handler
from lambda_fn.api.problem_details import KINDS, Problem
from lambda_fn.api.request_body import ExplainRequest, PredictRequest, Price

OUT = Path(__file__).resolve().parent.parent / "lambda_fn" / "api" / "openapi.json"
REFERENCE = "#/components/schemas/{name}"
DIGITS = 6  # of a number in an example: as many as every processor computes alike
PLACES = 3  # in the example of an explanation: what a day adds is a difference of forecasts, with fewer digits alike
NUMBERS = re.compile(r"\[[-+\s\d.,e]+\]|\{(?:\s+\"\w+\": [-+\d.e]+,?)+\s+\}")  # of them alone: stands on one line
VERSION = forecaster.manifest.model_version
TYPES = (
    *(PredictRequest, Forecast, Forecasts, SeriesForecast, SeriesRefused, Problem, model_card.State, model_card.Card),
    *(ExplainRequest, Explained),
    *(
        open_inference.ServerMetadata,
        open_inference.Live,
        open_inference.Ready,
        open_inference.ModelMetadata,
        open_inference.ModelReady,
    ),
    *(open_inference.InferRequest, open_inference.InferResponse),
)

MADE = [round(40 + 0.1 * (day * day % 17), 2) for day in range(forecaster.manifest.window)]
ONE = {"prices": MADE, "horizon": 2, "levels": [80], "last_date": "2026-11-19", "calendar": "BVMF"}
EXPLAIN = {"prices": MADE, "last_date": "2026-11-19", "calendar": "BVMF"}
SEVERAL = {"series": [{"id": "PETR4", "prices": MADE}, {"id": "VALE3", "prices": MADE[:3]}], "horizon": 1}
TENSOR = {"name": "prices", "datatype": "FP64", "shape": [1, len(MADE)], "data": MADE}
INFER = {"id": "1", "inputs": [TENSOR], "outputs": [{"name": "predicted_price"}]}
WRONG = {"prices": [*MADE[:3], -1, *MADE[4:]], "horizon": 9}

HEADERS = {
    "X-Request-Id": {"description": "The request's id, also in the log.", "schema": {"type": "string"}},
    "Cache-Control": {"schema": {"const": "no-store"}},
}
PAGE_HEADERS = {
    **HEADERS,
    "Cache-Control": {"schema": {"const": "no-cache"}},
    "Content-Security-Policy": {"description": "The page's own script and style alone.", "schema": {"type": "string"}},
    "ETag": {"description": "For If-None-Match.", "schema": {"type": "string"}},
}
MORE_HEADERS = {
    405: {"Allow": {"description": "The methods of this path.", "schema": {"type": "string"}}},
    503: {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
}
WHEN = {
    400: "The body is not JSON, or not to be read.",
    404: "No such path, model or version.",
    405: "The path takes other methods.",
    413: "The answer would be more than Lambda's 6 MB.",
    415: "The body is not declared as plain JSON.",
    422: "Something in the body is wrong; `errors` lists the faults, up to 20.",
    500: "A fault of the service, logged under the request's id.",
    503: "The forecasts could not be finished before the invocation's deadline, or the model is not ready yet.",
}


def main() -> None:
    """Write the file, or say that it is not current."""
    parser = argparse.ArgumentParser(description="Write lambda_fn/api/openapi.json, or check that it is current.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 3 where the file is not current")
    written = json.dumps(document(), indent=1, ensure_ascii=False) + "\n"
    written = NUMBERS.sub(lambda numbers: " ".join(numbers[0].split()), written)
    if not parser.parse_args().check:
        OUT.write_text(written, encoding="utf-8")
    elif not OUT.exists() or OUT.read_text(encoding="utf-8") != written:
        print("lambda_fn/api/openapi.json is not what the types say: run `make openapi`", file=sys.stderr)
        sys.exit(3)


def document() -> dict[str, Any]:
    """Build the whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Efemera",
            "version": __version__,
            "summary": "Daily closing prices forecast by an LSTM, with intervals, next to the naive forecast.",
            "description": "Nothing is kept between requests, no price is logged. Forecasts are no investment advice."
            " A deployment asks for requests signed with SigV4; API Gateway's own refusals (403, 413, 429) are"
            ' {"message": …}.',
            "x-model-digest": forecaster.model_digest,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths(),
        "components": {"schemas": schemas(), "responses": problems()},
    }


def schemas() -> dict[str, Any]:
    """Build the JSON schemas of the types; those of requests with what msgspec leaves to our own checks."""
    _, components = msgspec.json.schema_components(TYPES, ref_template=REFERENCE)
    (price,), _ = msgspec.json.schema_components([Price])
    components |= {"Price": price, **model_card.limit_schemas(forecaster)}
    for schema in components.values():
        if "description" in schema:
            schema["description"] = " ".join(schema["description"].split())  # of a docstring's lines
    request = components.pop("PredictRequest")
    options = {
        "horizon": _or_null(_reference("Horizon")),
        "levels": _or_null({"type": "array", "items": _reference("Level"), "maxItems": 20}),
        "last_date": _or_null({"description": "The day of the last close.", "type": "string", "format": "date"}),
        "calendar": _or_null(_reference("Calendar")),
    }
    assert {"prices", "series", *options} == set(request["properties"]), "PredictRequest has changed: describe it here"
    calendar_needs_date = {
        "if": {"required": ["calendar"], "properties": {"calendar": {"type": "string"}}},
        "then": {"required": ["last_date"], "properties": {"last_date": {"type": "string"}}},
    }
    series = {
        **components["Series"],
        "description": "One series of many. One whose `prices` are missing, too few, too many or out of range is"
        " answered with an `error` in its place.",
        "required": ["id"],
    }
    series["properties"]["prices"] = {"description": "As `Closes`."}
    components["Series"] = series
    many = {**request["properties"]["series"]["anyOf"][0], "description": "Each with an id of its own."}
    for name, (field, schema) in {
        "PredictOne": ("prices", _reference("Closes")),
        "PredictSeveral": ("series", many),
    }.items():
        components[name] = {
            "description": f"Closes of {'one series' if field == 'prices' else 'several series'}, and what is asked.",
            "type": "object",
            "properties": {field: schema, **options},
            "required": [field],
            "additionalProperties": False,
            **calendar_needs_date,
        }
    either = {"anyOf": [_reference("SeriesForecast"), _reference("SeriesRefused")]}
    components["Forecasts"]["properties"]["forecasts"] = {"type": "array", "items": either}
    explain = {name: options[name] for name in ("last_date", "calendar")}
    properties = {**components["ExplainRequest"]["properties"], **explain, "prices": _reference("Closes")}
    assert {*properties} == {"prices", "detail", *explain}, "ExplainRequest has changed: describe it here"
    components["ExplainRequest"] |= {"properties": properties, **calendar_needs_date}
    numbers = {"type": "array", "items": _reference("Price")}
    components["InferInput"]["properties"] |= {
        "name": {"const": "prices"},
        "datatype": {"const": "FP64"},
        "shape": _reference("Shape"),
        "data": {
            "description": "As many numbers as `shape` says, flat in row-major order, or one list a window.",
            "anyOf": [numbers, {"type": "array", "items": _reference("Window")}],
        },
    }
    components["InferInput"]["required"] = ["name", "datatype", "shape", "data"]
    components["InferRequest"]["properties"]["outputs"]["anyOf"][0]["uniqueItems"] = True
    components["InferOutput"]["properties"]["parameters"] = _or_null(
        {"type": "object", "properties": {"binary_data": {}}, "additionalProperties": False}
    )
    components["InferOutput"]["properties"]["name"] = {"enum": list(open_inference.OUTPUTS)}
    return dict(sorted(components.items()))


def problems() -> dict[str, Any]:
    """Build the refusals, one for each status."""
    wrong = _answer("POST", "/predict", WRONG)
    return {
        str(status): {
            "description": WHEN[status],
            "headers": {**HEADERS, **MORE_HEADERS.get(status, {})},
            "content": {
                "application/problem+json": {
                    "schema": _reference("Problem"),
                    **({"examples": {"wrong": {"value": wrong}}} if status == 422 else {}),
                }
            },
        }
        for status in KINDS
    }


def paths() -> dict[str, Any]:
    """Build every path and its operations."""
    read, write = (404, 405, 500, 503), (400, 404, 405, 413, 415, 422, 500, 503)
    predict = {"oneOf": [_reference("PredictOne"), _reference("PredictSeveral")]}
    answer = {"anyOf": [_reference("Forecast"), _reference("Forecasts")]}
    items: dict[str, Any] = {
        "/predict": {
            "post": _operation(
                "predict", "Forecast one series or several", "Efemera", answer, write,
                body=predict, examples={"one": ONE, "several": SEVERAL}, path="/predict",
            )
        },
        "/explain": {
            "post": _operation(
                "explain", "Say why a forecast is what it is", "Efemera", _reference("Explained"), write,
                body=_reference("ExplainRequest"), examples={"one": EXPLAIN}, path="/explain",
            )
        },
        "/": _page("page", "The page that people use, in a browser", read),
        "/docs": _page("docs", "The API's reference, in a browser", read),
        "/health": _get("health", "Which model is ready", "Efemera", "State", read),
        "/model": _get("model", "The model card", "Efemera", "Card", read),
        "/openapi.json": _get("openapi", "This document", "Efemera", None, read),
        "/v2": _get("server", "Server metadata", "Open Inference Protocol", "ServerMetadata", read),
        "/v2/health/live": _get("live", "The process runs", "Open Inference Protocol", "Live", read),
        "/v2/health/ready": _get("ready", "The model is verified and warm", "Open Inference Protocol", "Ready", read),
    }  # fmt: skip
    version = {"name": "version", "in": "path", "required": True, "schema": {"type": "string", "examples": [VERSION]}}
    for path, suffix, parameters in (
        ("/v2/models/efemera", "", []),
        ("/v2/models/efemera/versions/{version}", "_version", [version]),
    ):
        group = {
            path: _get(f"metadata{suffix}", "Model metadata", "Open Inference Protocol", "ModelMetadata", read),
            f"{path}/ready": _get(
                f"model_ready{suffix}", "The model is ready", "Open Inference Protocol", "ModelReady", read
            ),
            f"{path}/infer": {
                "post": _operation(
                    f"infer{suffix}", "Tensors in, tensors out", "Open Inference Protocol",
                    _reference("InferResponse"), write,
                    body=_reference("InferRequest"), examples={"one": INFER}, path="/v2/models/efemera/infer",
                )
            },
        }  # fmt: skip
        for operations in group.values():
            if parameters:
                operations["parameters"] = parameters
        items |= group
    return items


def _get(name: str, summary: str, tag: str, schema: str | None, refusals: tuple[int, ...]) -> dict[str, Any]:
    """Build the operations of a path that is read, by GET and by HEAD."""
    answer = _reference(schema) if schema else {"type": "object"}
    get = _operation(name, summary, tag, answer, refusals)
    head = {
        "operationId": f"{name}_head",
        "summary": f"{summary}: the headers alone",
        "tags": [tag],
        "responses": {"200": {"description": "As GET.", "headers": HEADERS}}
        | {str(status): {"description": WHEN[status], "headers": HEADERS} for status in refusals},
    }
    return {"get": get, "head": head}


def _page(name: str, summary: str, refusals: tuple[int, ...]) -> dict[str, Any]:
    """Build the operations of a path that is read as HTML, and not again by a browser that has it."""
    operations = _get(name, summary, "Pages", None, refusals)
    unchanged = {
        "description": "As in the answer with this `ETag`, which If-None-Match names.",
        "headers": PAGE_HEADERS,
    }
    for operation in operations.values():
        operation["responses"] = {"200": operation["responses"].pop("200"), "304": unchanged, **operation["responses"]}
        operation["responses"]["200"]["headers"] = PAGE_HEADERS
    operations["get"]["responses"]["200"]["content"] = {"text/html": {"schema": {"type": "string"}}}
    return operations


def _operation(
    name: str,
    summary: str,
    tag: str,
    answer: dict[str, Any],
    refusals: tuple[int, ...],
    *,
    body: dict[str, Any] | None = None,
    examples: dict[str, Any] | None = None,
    path: str = "",
) -> dict[str, Any]:
    """Build one method of one path; the answers to its examples are the handler's own."""
    content: dict[str, Any] = {"schema": answer}
    operation: dict[str, Any] = {"operationId": name, "summary": summary, "tags": [tag]}
    if body is not None:
        shown = {example: {"value": value} for example, value in (examples or {}).items()}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body, "examples": shown}},
        }
        content["examples"] = {key: {"value": _answer("POST", path, one["value"])} for key, one in shown.items()}
    operation["responses"] = {
        "200": {"description": "Answered.", "headers": HEADERS, "content": {"application/json": content}},
        **{str(status): {"$ref": f"#/components/responses/{status}"} for status in refusals},
    }
    return operation


def _answer(method: str, path: str, body: dict[str, Any]) -> Any:
    """Answer by the handler, its numbers shortened."""
    request = {"http": {"method": method}, "requestId": "JKJaXmPLvHcESHA=", "stage": "$default"}
    event = {"rawPath": path, "requestContext": request, "headers": {}, "body": json.dumps(body)}
    return _shortened(json.loads(handler(event, None)["body"]), PLACES if path == "/explain" else None)


def _shortened(value: Any, places: int | None = None) -> Any:
    """Shorten numbers: so many decimal places, or `DIGITS` that count."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if places is None else round(value, places)
    if isinstance(value, list):
        return [_shortened(one, places) for one in value]
    if isinstance(value, dict):
        return {key: _shortened(one, None if key == "tolerance" else places) for key, one in value.items()}
    return value


def _reference(name: str) -> dict[str, str]:
    return {"$ref": REFERENCE.format(name=name)}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


if __name__ == "__main__":
    main()
