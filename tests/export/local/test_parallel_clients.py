"""Many clients at once on the local server: each gets what it would have got alone, byte for byte."""

import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from export.local.server import listen
from lambda_fn.model.forecaster import Forecaster
from tests.bench.soak_clients import PATIENCE, Question, alone, besiege, questions, served

pytestmark = pytest.mark.slow

CLIENTS, TURNS = 16, 44  # four times each question from each client


def test_parallel_clients_get_the_very_answers_that_one_alone_gets(model):
    asked = questions()
    with served(model) as address:
        expected = alone(address, asked)
        assert len({reply.body for reply in expected}) == len(asked)
        tally = besiege(address, asked, expected, CLIENTS, lambda: range(TURNS))
    assert tally.errors == []
    assert tally.wrong == []
    assert len(tally.seconds) == len(tally.ids) == CLIENTS * TURNS


def test_what_one_alone_gets_is_the_models_answer(model):
    forecaster = Forecaster(model)
    with served(model) as address:
        for question, reply in zip(questions(), alone(address, questions()), strict=True):
            if question.name.startswith("single"):
                prices = json.loads(question.body)["prices"]
                assert json.loads(reply.body)["predicted_price"] == forecaster.quantiles(np.array([prices]))[0, 0, 3]
            elif question.name == "30 series":
                prices = [one["prices"] for one in json.loads(question.body)["series"]]
                found = [one["predicted_price"] for one in json.loads(reply.body)["forecasts"]]
                assert found == pytest.approx(forecaster.quantiles(np.array(prices))[:, 0, 3].tolist(), rel=1e-7)


def test_no_answer_waits_for_the_acknowledgement_of_its_own_first_half():
    """Headers and body are two writes: with Nagle's algorithm the second waits 40 ms for a client's delayed ACK.

    asyncio turns it off on a socket that says it is TCP, which those of `socket.create_server` do not.
    """
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            off = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert off or accepted.proto == socket.IPPROTO_TCP


class Sound(BaseHTTPRequestHandler):
    """A server that answers every request with its own body."""

    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    count = 0
    lock = threading.Lock()

    def do_POST(self):
        with self.lock:
            type(self).count += 1
            number = self.count
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.say(number, body)

    def say(self, number, body, status=200):
        self.send_response(status)
        self.send_header("X-Request-Id", f"id-{number}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Mixed(Sound):
    def say(self, number, body, status=200):
        other = b"question 1" if body == b"question 0" else b"question 0"
        super().say(number, other if number == 9 else body, status)


class Failing(Sound):
    def say(self, number, body, status=200):
        super().say(number, body, 500 if number == 9 else status)


class Hanging(Sound):
    def say(self, number, body, status=200):
        if number == 9:
            self.close_connection = True
            return
        super().say(number, body, status)


class Repeating(Sound):
    def say(self, number, body, status=200):
        super().say(8 if number == 9 else number, body, status)


@contextmanager
def standing_in(kind):
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Fresh", (kind,), {"count": 0})) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


ASKED = [Question(f"question {number}", "POST", "/", f"question {number}", 200) for number in range(3)]


def besieged(kind):
    with standing_in(kind) as address:
        return besiege(address, ASKED, alone(address, ASKED), 4, lambda: range(6))


def test_a_sound_server_is_found_sound():
    tally = besieged(Sound)
    assert (tally.errors, tally.wrong, len(tally.seconds)) == ([], [], 24)


@pytest.mark.parametrize(
    ("kind", "errors", "wrong"), [(Mixed, 0, 1), (Failing, 0, 1), (Repeating, 0, 1), (Hanging, 1, 0)]
)
def test_one_wrong_answer_among_many_is_found(kind, errors, wrong):
    tally = besieged(kind)
    assert (len(tally.errors), len(tally.wrong)) == (errors, wrong)


def test_an_answer_that_is_wrong_from_the_start_is_found():
    with standing_in(Sound) as address, pytest.raises(RuntimeError, match="question 0: 200, expected 422"):
        alone(address, [ASKED[0]._replace(status=422)])
