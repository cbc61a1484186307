"""Serve the Open Inference Protocol, version 2, over HTTP, for clients of KServe and Triton. JSON tensors only.

https://github.com/kserve/open-inference-protocol, `specification/protocol/inference_rest.md`
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
import numpy as np

from lambda_fn import __version__
from lambda_fn.api.event import Request
from lambda_fn.api.problem_details import Fault, Refusal, invalid, printable
from lambda_fn.api.request_body import Price
from lambda_fn.api.request_faults import element_faults, inference_body_refusal, json_or_none, type_fault
from lambda_fn.model.forecaster import WINDOWS_PER_RUN, Array, Forecaster, Inference
from lambda_fn.model.limits import LONGEST_ID, MOST_SERIES

ROOT = "/v2"
NAME = "efemera"
PLATFORM = "onnx_onnxv1"  # as the protocol lists them
BINARY = (
    "the binary tensor extension is not served: send tensors as JSON (with tritonclient,"
    " InferInput.set_data_from_numpy(…, binary_data=False))"
)
OUTPUTS = ("predicted_price", "quantiles")
NESTED = re.compile(rb"\s*\[\s*\[")


class Tensor(msgspec.Struct):
    """One tensor of metadata; -1 is any size."""

    name: str
    datatype: str
    shape: list[int]


class ServerMetadata(msgspec.Struct):
    """`GET /v2`."""

    name: str
    version: str
    extensions: list[str]


class Live(msgspec.Struct):
    """`GET /v2/health/live`."""

    live: bool = True


class Ready(msgspec.Struct):
    """`GET /v2/health/ready`."""

    ready: bool = True


class ModelReady(msgspec.Struct):
    """`GET /v2/models/efemera/ready`."""

    name: str = NAME
    ready: bool = True


class ModelMetadata(msgspec.Struct):
    """`GET /v2/models/efemera`."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[Tensor]
    outputs: list[Tensor]


class InferInput(msgspec.Struct):
    """One tensor of a request; `data` is flat in row-major order, or nested."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    parameters: dict[str, Any] | None = None


class InferOutput(msgspec.Struct):
    """One tensor asked for."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct):
    """`POST /v2/models/efemera/infer`. What the protocol allows beside these fields is left unread."""

    inputs: Annotated[list[InferInput], msgspec.Meta(min_length=1, max_length=1)]
    outputs: Annotated[list[InferOutput], msgspec.Meta(max_length=2)] | None = None
    id: Annotated[str, msgspec.Meta(max_length=LONGEST_ID)] | None = None


class OutputTensor(msgspec.Struct):
    """One tensor of an answer, flat in row-major order."""

    name: str
    datatype: str
    shape: list[int]
    data: list[float]


class InferResponse(msgspec.Struct, omit_defaults=True):
    """The answer; `parameters` names the graph and its verdict."""

    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    parameters: dict[str, str]
    id: str | None = None


_decode_request = msgspec.json.Decoder(InferRequest).decode
_flat = msgspec.json.Decoder(list[Price])
_nested = msgspec.json.Decoder(list[list[Price]])


def paths(forecaster: Forecaster) -> tuple[str, str]:
    """Return the model's paths: by its name, and by its name and version."""
    return f"{ROOT}/models/{NAME}", f"{ROOT}/models/{NAME}/versions/{forecaster.manifest.model_version}"


def server() -> ServerMetadata:
    """Return the server's name and version; it knows no extension."""
    return ServerMetadata("efemera", __version__, [])


def metadata(forecaster: Forecaster) -> ModelMetadata:
    """Describe the tensors that the graph reads and answers."""
    manifest = forecaster.manifest
    return ModelMetadata(
        NAME,
        [manifest.model_version],
        PLATFORM,
        [Tensor("prices", "FP64", [-1, manifest.window])],
        [
            Tensor(OUTPUTS[0], "FP64", [-1]),
            Tensor(OUTPUTS[1], "FP64", [-1, manifest.horizon, len(manifest.quantiles)]),
        ],
    )


def tensor_body(request: Request) -> bytes:
    """Return the body of an inference request. Raises `Refusal` where it is no plain JSON, or holds binary tensors."""
    kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if request.header("inference-header-content-length") is not None or kind == "application/octet-stream":
        raise Refusal(415, BINARY)
    return request.json_body()


def infer(inference: Inference, body: bytes) -> InferResponse:
    """Answer a request's tensors. A client that prefers binary outputs gets JSON, which every client reads.

    Raises `Refusal` on a body that is none, naming the place.
    """
    forecaster = inference.forecaster
    try:
        request = _decode_request(body)
    except msgspec.ValidationError as error:
        raise invalid([type_fault(str(error))]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise inference_body_refusal(body, str(error)) from None
    names, faults = [output.name for output in request.outputs or ()], []
    for i, output in enumerate(request.outputs or ()):
        if output.name not in OUTPUTS or output.name in names[:i]:
            faults.append(Fault(f"/outputs/{i}/name", f"must be one of {', '.join(OUTPUTS)}, and not asked for twice"))
        if set(output.parameters or ()) - {"binary_data"}:
            faults.append(Fault(f"/outputs/{i}/parameters", "none but binary_data is known"))
    prices = _prices(request.inputs[0], forecaster.manifest.window, faults)
    inference.expect(len(prices))
    starts = range(0, len(prices), WINDOWS_PER_RUN)
    runs = [inference.quantiles(prices[start : start + WINDOWS_PER_RUN]) for start in starts]
    quantiles = np.concatenate(runs)  # (batch, horizon, quantiles)
    tensors = {"predicted_price": quantiles[:, 0, forecaster.median_index], "quantiles": quantiles}
    return InferResponse(
        NAME,
        forecaster.manifest.model_version,
        [
            OutputTensor(name, "FP64", list(tensors[name].shape), tensors[name].ravel().tolist())
            for name in names or OUTPUTS
        ],
        {"model_digest": forecaster.model_digest, "verdict": forecaster.verdict},
        None if request.id is None else printable(request.id),
    )


def _prices(tensor: InferInput, window: int, faults: list[Fault]) -> Array:
    """Read the input tensor (batch, window) float64. Raises `Refusal` with what is wrong with it, after `faults`."""
    if "binary_data_size" in (tensor.parameters or ()):
        raise Refusal(415, BINARY)
    place = "/inputs/0"
    if tensor.name != "prices":
        faults.append(Fault(f"{place}/name", "must be 'prices'"))
    if tensor.datatype != "FP64":
        faults.append(Fault(f"{place}/datatype", "must be 'FP64'"))
    shape = tensor.shape
    if len(shape) != 2 or not 1 <= shape[0] <= MOST_SERIES or shape[1] != window:
        faults.append(Fault(f"{place}/shape", f"must be [n, {window}] with n from 1 to {MOST_SERIES}"))
        faults += element_faults(json_or_none(bytes(tensor.data or b"null")))
    elif tensor.data is msgspec.UNSET:
        faults.append(Fault(f"{place}/data", "is required"))
    else:
        try:
            nested = NESTED.match(tensor.data) is not None
            prices = np.array((_nested if nested else _flat).decode(tensor.data), np.float64)
        except (msgspec.ValidationError, ValueError):
            wanted = f"must hold {shape[0]} × {window} numbers, flat or nested"
            faults += element_faults(json_or_none(bytes(tensor.data))) or [Fault(f"{place}/data", wanted)]
        else:
            if prices.shape == tuple(shape) or (not nested and prices.size == shape[0] * window):
                if faults:
                    raise invalid(faults)
                return prices.reshape(shape)
            faults.append(Fault(f"{place}/data", f"must hold {shape[0]} × {window} numbers, flat or nested"))
    raise invalid(faults)
