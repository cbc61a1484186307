"""Contents, pruning rules and size limits of each kind of package (api, batch, deploy)."""

from __future__ import annotations

from typing import NamedTuple

# What `lambda_fn.model.manifest` verifies: the first ones must be there. model_lstm.pth stays: only PyTorch reads it.
MODEL_FILES = ("manifest.json", "model.onnx", "weights.npz", "golden.json", "parity.json")

# What the handlers never load: seen by listing sys.modules and the mapped libraries in Lambda's image, after every kind
# of request and after a whole batch run; tests/infra runs the pruned packages there. A pattern that finds nothing is an
# error: the packages have changed, so look again.
PRUNED = (
    "bin",
    "*.dist-info/RECORD", "*.dist-info/INSTALLER", "*.dist-info/WHEEL",  # METADATA and licences stay, for scanners
)  # fmt: skip
PRUNED_OF_MODEL = (
    "google", "protobuf-*", "flatbuffers", "flatbuffers-*", "packaging", "packaging-*",  # onnxruntime's tools alone
    "onnxruntime/capi/libonnxruntime.so.*",  # 35 MB for C programs; the Python module holds its own copy
    "onnxruntime/backend", "onnxruntime/datasets", "onnxruntime/quantization",
    "onnxruntime/tools", "onnxruntime/transformers",
    "numpy/**/tests", "numpy/conftest.py", "numpy/testing", "numpy/_core/_*_tests.*.so",
    "numpy/f2py", "numpy/_pyinstaller", "numpy/_core/include", "numpy/_core/lib", "numpy/random",
    "aws_lambda_powertools/event_handler", "aws_lambda_powertools/utilities/data_classes",
    "aws_lambda_powertools/utilities/parser",
    "**/*.pyi", "**/*.pxd",
)  # fmt: skip
PRUNED_OF_DUCKDB = ("adbc_driver_duckdb", "duckdb/experimental", "_duckdb-stubs")  # for Arrow's drivers and as Spark
PRUNED_OF_AWS = (
    "botocore/data/*", "boto3/data", "boto3/examples",  # the descriptions of 400 services, save those that are named
    "dateutil/zoneinfo",  # zoneinfo reads tzdata
)  # fmt: skip
ENDPOINTS = "botocore/data/*.json*"  # kept: where services are, and how often to try


class Package(NamedTuple):
    """Contents and limits of one kind of package."""

    handlers: tuple[str, ...]  # modules of lambda_fn; what these import of it goes with them
    data: tuple[str, ...]  # files of lambda_fn
    models: tuple[str, ...]  # files of the model that must be there
    services: tuple[str, ...]  # of AWS, as botocore names them
    pruned: tuple[str, ...]
    largest: float  # bytes; Lambda takes 250 MiB, from S3 whatever they are zipped; a cold start pays for every one
    largest_zipped: float


PACKAGES = {
    "api": Package(
        handlers=("api.handler",),
        data=("api/openapi.json", "api/page/index.html", "api/page/docs.html", "api/page/LICENSES.txt"),
        models=MODEL_FILES,
        services=(),
        pruned=PRUNED + PRUNED_OF_MODEL,
        largest=100e6,
        largest_zipped=34e6,
    ),
    "batch": Package(
        handlers=("batch.plan", "batch.forecast", "batch.finish"),
        data=(),
        models=MODEL_FILES,
        services=("s3",),
        pruned=PRUNED + PRUNED_OF_MODEL + PRUNED_OF_DUCKDB + PRUNED_OF_AWS,
        largest=180e6,
        largest_zipped=64e6,
    ),
    "deploy": Package(
        handlers=("deploy.pre_traffic_hook", "deploy.post_traffic_hook"),
        data=(),
        models=("manifest.json", "golden.json"),
        services=("codedeploy", "lambda", "s3"),
        pruned=PRUNED + PRUNED_OF_AWS,
        largest=10e6,  # it has 8.1 MB, and 2.7 zipped, the same for both processors
        largest_zipped=3.5e6,
    ),
}
