"""The deployed state machine runs: what it does on a good evening, on a bad one, and when it is started again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lambda_fn.plan import SCHEMA_VERSION
from lambda_fn.store import StoreUnavailable
from tests.infra.step_functions import BUCKET, FILE, SUBSTITUTIONS, Machine, WorkerDied, for_moto, running, substituted, throttled
