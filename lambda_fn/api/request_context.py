"""One request from its event to its answer: what the routes of `api.py` work on."""

from __future__ import annotations

from typing import Any

from lambda_fn.api import open_inference
from lambda_fn.api.deadline import Run
from lambda_fn.api.event import Event, request_id_of
from lambda_fn.api.http_response import JSON, PROBLEM, reply
from lambda_fn.api.problem_details import Refusal
from lambda_fn.model.forecaster import Forecaster
from lambda_fn.powertools import Response

UNROUTED = "none"  # the route of a request that has none, in a log line


class Call:
    """One request while it is answered: what came, the model for it, what a log line will say."""

    __slots__ = ("event", "id", "path", "refusals", "route", "run")

    def __init__(self, forecaster: Forecaster, context: Any) -> None:
        """`context` is Lambda's."""
        self.event: Event | None = None  # until it is known to be one
        self.id = request_id_of(context)
        self.path = ""  # within the API
        self.route = UNROUTED  # or one of the API's own paths
        self.run = Run(forecaster, context)
        self.refusals: dict[str, int] = {}

    def body(self) -> bytes:
        """The body, if it is plain JSON by its headers."""
        assert self.event is not None
        kind = (self.event.header("content-type") or JSON).partition(";")[0].strip().lower()
        if kind != JSON and not (kind.startswith("application/") and kind.endswith("+json")):
            raise Refusal(415, f"Content-Type is '{kind[:80]}'; send 'application/json'", headers={"Accept": JSON})
        coding = (self.event.header("content-encoding") or "identity").strip().lower()
        if coding != "identity":
            raise Refusal(
                415,
                f"Content-Encoding is '{coding[:80]}'; send the body plain",
                headers={"Accept-Encoding": "identity"},
            )
        return self.event.content()

    def tensors(self) -> bytes:
        """The body of an inference request, if it holds no binary tensors."""
        assert self.event is not None
        open_inference.refuse_binary(self.event)
        return self.body()

    def reply(
        self, body: Any, kind: str = JSON, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response[Any]:
        """`body` as the answer to this request."""
        return reply(self.event, self.id, status, body, kind, headers)

    def refuse(self, refusal: Refusal) -> Response[Any]:
        """The refusal as the answer to this request, and in its log line."""
        self.refusals[refusal.reason] = 1
        problem = refusal.problem(self.id)
        if self.path == open_inference.ROOT or self.path.startswith(f"{open_inference.ROOT}/"):
            problem.error = problem.detail
        return self.reply(problem, PROBLEM, refusal.status, refusal.headers)
