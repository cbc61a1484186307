"""The least a Lambda function must do to answer with the model: the floor of the built package in its container.

It stands alone in /var/task, beside numpy, onnxruntime and the model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
model = str(Path(__file__).with_name("model.onnx"))
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """The quantiles for the closes in the body, as JSON."""
    prices = numpy.array([json.loads(event["body"])["prices"]])
    (quantiles,) = session.run(["quantiles"], {"prices": prices})
    return {"statusCode": 200, "body": json.dumps({"quantiles": quantiles.tolist()})}
