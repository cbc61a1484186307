"""A process with limits, in which bodies meant to hurt are sent.

`python -m tests.lambda_fn.api.hostile PATH CPU_SECONDS NAME…` prints one JSON line for each body.
"""

import base64
import json
import os
import resource
import sys
import time
import traceback

from tests.lambda_fn.api.answers import EXPLAIN, INFER, PREDICT, answered
from tests.lambda_fn.api.hostile_bodies import BODIES, RIGHT
from tests.lambda_fn.conftest import event

ADDRESS_SPACE = 3 << 30  # bytes: a handler that eats without end gets MemoryError before the machine suffers
PATHS = {"predict": PREDICT, "explain": EXPLAIN, "infer": INFER}


def asked_with(body, path):
    """The event of a body, through JSON and back, as Lambda's runtime makes it: bytes come in base64."""
    if isinstance(body, bytes):
        return event(base64.b64encode(body).decode(), path=path, encoded=True)
    return json.loads(json.dumps(event(body, path=path)))


def trial(make, path, cpu_seconds):
    """Answer one body in a fork of this process: what came of it, its processor time and the most memory it held.

    A fork's own peak starts at what it shares with this process; that of a new process would start at pytest's. A fork
    has the pages of libraries only as it comes to use them, so all that this process has of them are added.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            told = {"fault": "no answer"}
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
            resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
            asked = asked_with(make(), path)
            begun = time.process_time()
            told = {"status": answered(asked).status, "seconds": time.process_time() - begun}
        except BaseException as error:
            told = {"fault": f"{type(error).__name__}: {str(error)[:500]}", "trace": traceback.format_exc()[-1500:]}
        finally:
            os.write(writer, json.dumps(told).encode())
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        told = json.loads(pipe.read() or b'{"fault": "it was killed"}')
    _, ended, usage = os.wait4(child, 0)
    told["signal"] = os.WTERMSIG(ended) if os.WIFSIGNALED(ended) else 0
    told["peak"] = usage.ru_maxrss * 1024 + _of_files()  # ru_maxrss is in KiB on Linux
    return told


def _of_files():
    """Bytes of files, such as libraries, that this process has in memory."""
    with open("/proc/self/status") as status:
        return sum(int(line.split()[1]) * 1024 for line in status if line.startswith(("RssFile", "RssShmem")))


def main(key, cpu_seconds, *names):
    """Send each of these bodies to a path, a right one to its own alone."""
    for name in names:
        if name in BODIES or RIGHT[name][0] == PATHS[key]:
            make = BODIES[name] if name in BODIES else RIGHT[name][1]
            told = trial(make, PATHS[key], int(cpu_seconds))
            sys.stdout.write(json.dumps({"name": name, **told}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
