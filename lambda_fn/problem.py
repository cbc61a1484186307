"""What every refusal looks like: RFC 9457 problem details."""

from __future__ import annotations

import msgspec

from lambda_fn.faults import Fault, printable

TITLES = {
    400: ("malformed-body", "The body can't be read"),
    404: ("not-found", "No such path"),
    405: ("method-not-allowed", "No such method here"),
    415: ("unsupported-media-type", "The body must be JSON"),
    422: ("invalid-request", "The request is not valid"),
    500: ("internal-error", "Something went wrong here"),
}


class Problem(msgspec.Struct, omit_defaults=True):
    """The body of an `application/problem+json` answer."""

    type: str
    title: str
    status: int
    detail: str
    instance: str  # the request id
    errors: list[Fault] = []


def problem_of(status: int, detail: str, instance: str, faults: list[Fault] | None = None) -> Problem:
    """The problem of this status, in the words of this API."""
    slug, title = TITLES[status]
    return Problem(f"/problems/{slug}", title, status, printable(detail), instance, faults or [])
