"""The parts of Powertools that this API runs, without the rest: its imports shrink from 0.6 to 0.2 of a bare start-up.

Three of Powertools' packages, when they start, import every resolver and event class there is, asyncio and the tracer.
Here they stand in `sys.modules` unstarted: the names that the API needs are taken from the files that hold them, and
any other name starts its package as usual, so that whoever else imports Powertools misses nothing.
`make bench` times both ways.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from importlib import import_module
from types import MappingProxyType
from typing import Any

EVENT_CLASSES = {  # what the resolver's module asks of `data_classes`, and the file each one is in
    "ALBEvent": "alb_event",
    "APIGatewayProxyEvent": "api_gateway_proxy_event",
    "APIGatewayProxyEventV2": "api_gateway_proxy_event",
    "BedrockAgentEvent": "bedrock_agent_event",
    "LambdaFunctionUrlEvent": "lambda_function_url_event",
    "VPCLatticeEvent": "vpc_lattice",
    "VPCLatticeEventV2": "vpc_lattice",
}


def _leave_unstarted(name: str, files: dict[str, str]) -> None:
    """Put package `name` into `sys.modules` without running its `__init__`; an already imported one stays as it is."""
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    assert spec is not None, name
    assert spec.loader is not None, name
    package, loader = importlib.util.module_from_spec(spec), spec.loader

    def find(attribute: str) -> Any:
        if attribute.startswith("__") and attribute not in ("__all__", "__author__", "__version__"):
            raise AttributeError(attribute)
        if attribute in files:
            file = import_module(f"{name}.{files[attribute]}")
            return file if files[attribute] == attribute else getattr(file, attribute)
        del package.__dict__["__getattr__"]
        loader.exec_module(package)
        return getattr(package, attribute)

    package.__dict__["__getattr__"] = find  # PEP 562
    sys.modules[name] = package


_leave_unstarted("aws_lambda_powertools", {})
_leave_unstarted("aws_lambda_powertools.event_handler", {"content_types": "content_types"})
_leave_unstarted("aws_lambda_powertools.utilities.data_classes", EVENT_CLASSES)
# What Powertools' own start would have done: its debug messages are for nobody, unless asked for.
logging.getLogger("aws_lambda_powertools").addHandler(logging.NullHandler())
logging.getLogger("aws_lambda_powertools").propagate = False

from aws_lambda_powertools.event_handler.api_gateway import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.logging.logger import Logger
from aws_lambda_powertools.metrics.functions import is_metrics_disabled
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider
from aws_lambda_powertools.utilities.data_classes.api_gateway_proxy_event import APIGatewayProxyEventV2

__all__ = ["AmazonCloudWatchEMFProvider", "Logger", "NotFoundError", "Resolver", "Response", "is_metrics_disabled"]


class RequestLine(APIGatewayProxyEventV2):
    """An event without headers: the resolver would copy and split them all, twice a request, to route by none."""

    headers: Any = MappingProxyType({})
    resolved_headers_field: Any = MappingProxyType({})


class Resolver(APIGatewayHttpResolver):
    """Powertools' resolver for events that hold a method and a path: a third off its time."""

    def _to_proxy_event(self, event: dict[str, Any]) -> RequestLine:
        return RequestLine(event)

    def answer(self, method: str, path: str, context: Any, **shared: Any) -> dict[str, Any]:
        """What the function of this path answers; it finds `shared` in `self.context`."""
        self.append_context(**shared)  # type: ignore[no-untyped-call]
        request = {"http": {"method": method}, "stage": "$default"}
        return self.resolve({"rawPath": path, "requestContext": request}, context)
