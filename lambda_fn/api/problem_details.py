"""Refuse a request: the exception of the API, and the problem details (RFC 9457) that it becomes."""

from __future__ import annotations

import msgspec

MOST_FAULTS = 20  # a body can be wrong in thousands of places; the first ones help
MOST_COUNTED = 1000

KINDS = {
    400: ("malformed-body", "The request can't be read"),
    404: ("not-found", "No such path"),
    405: ("method-not-allowed", "No such method here"),
    413: ("answer-too-large", "The answer would be too large"),
    415: ("unsupported-media-type", "The body must be JSON"),
    422: ("invalid-request", "The request is not valid"),
    500: ("internal-error", "Something went wrong here"),
    503: ("not-now", "Not now: try again"),
}


class Fault(msgspec.Struct):
    """One thing wrong with a body: where (a JSON pointer) and what."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, omit_defaults=True):
    """The body of an `application/problem+json` answer; `error` is `detail` by the Open Inference Protocol's name."""

    type: str
    title: str
    status: int
    detail: str
    instance: str  # the request id
    errors: list[Fault] = []
    error: str | msgspec.UnsetType = msgspec.UNSET


class Refusal(Exception):
    """A request that is not answered: an HTTP status, a sentence, the faults of its body, headers of the answer."""

    def __init__(
        self,
        status: int,
        detail: str,
        faults: list[Fault] | None = None,
        headers: dict[str, str] | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers or {}
        self.faults = (faults or [])[:MOST_FAULTS]
        self.reason = reason or KINDS[status][0]  # what kind of refusal this is, in one word of a log line

    def problem(self, instance: str) -> Problem:
        """Build the problem details for the request of this id."""
        slug, title = KINDS[self.status]
        return Problem(f"/problems/{slug}", title, self.status, printable(self.detail), instance, self.faults)


def invalid(faults: list[Fault], count: int = 0, reason: str | None = None) -> Refusal:
    """Build a 422 of these faults, the first ones of `count`."""
    first, count = faults[0], count or len(faults)
    where = f"{first.pointer} " if first.pointer else "the body "
    more = f" (and {count - 1} more)" if count > 1 else ""
    if len(faults) >= MOST_COUNTED:
        more = f" (and more than {MOST_COUNTED - 2:,} more)"
    return Refusal(422, f"{where}{first.detail}{more}", faults, reason=reason)


def printable(text: str) -> str:
    """Replace in `text` what UTF-8 can't carry: JSON lets a client send half a surrogate pair."""
    return text.encode("utf-8", "replace").decode()
