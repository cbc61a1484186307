"""AWS's list prices in dollars, without free tiers, volume discounts and taxes, with where and when they were read.

AWS's price pages show what its price list files hold; these are figures of those files, read in public copies of them
whose dates are given (the key's in other people's account of the page, and of a bill). Look them up again before a
budget rests on them.
"""

from __future__ import annotations

from typing import NamedTuple

REGIONS = ("us-east-1", "sa-east-1")
MILLION = M = 1_000_000
NOT_FOUND = "not found: us-east-1's"


class Price(NamedTuple):
    """Price of `count` of a unit in each of `REGIONS`."""

    count: int
    unit: str
    dollars: tuple[float, float]
    page: str  # aws.amazon.com/…/pricing (/on-demand, of EC2's)
    read: tuple[str, str]  # when, in each region


# fmt: off
PRICES = {name: Price(*price) for name, price in {
    "HTTP API": (M, "requests of up to 512 KB", (1.00, 1.59), "api-gateway", ("2026-09-20", "2026-10-08")),
    "Lambda requests": (M, "requests", (0.20, 0.20), "lambda", ("2026-09-11", "2026-10-08")),
    "Lambda time": (M, "GB-seconds, x86", (16.6667, 16.6667), "lambda", ("2026-09-11", "2026-10-08")),
    "Lambda storage": (M, "GB-seconds of /tmp over 512 MB", (0.0309, 0.0309), "lambda", ("2026-08-31", NOT_FOUND)),
    "Step Functions": (M, "state transitions, Standard", (25.00, 37.50), "step-functions", ("2026-09", "2026")),
    "S3 writes": (M, "PUT and LIST", (5.00, 7.00), "s3", ("2026-09-28", "2026-09-26")),
    "S3 reads": (M, "GET and HEAD", (0.40, 0.56), "s3", ("2026-09-28", "2026-09-26")),
    "S3 storage": (1, "GB-month, Standard", (0.023, 0.0405), "s3", ("2026-09-28", "2026-09-26")),
    "logs": (1, "GB taken in", (0.50, 0.90), "cloudwatch", ("2026-09-21", "2026-10-08")),
    "log storage": (1, "GB-month, compressed", (0.03, 0.0408), "cloudwatch", ("2025-10-28", "2026-09-22")),
    "custom metrics": (1, "metric-month, of the first 10,000", (0.30, 0.30), "cloudwatch", ("2026-09-21", NOT_FOUND)),
    "alarms": (1, "metric of an alarm, standard resolution", (0.10, 0.10), "cloudwatch", ("2026-09-21", NOT_FOUND)),
    "dashboards": (1, "dashboard, in any region", (3.00, 3.00), "cloudwatch", ("2026-10-06", "2026-10-06")),
    "SnapStart cache": (M, "GB-seconds of each version", (1.5046, 1.5046), "lambda", ("2026-09-19", NOT_FOUND)),
    "SnapStart restores": (M, "GB", (139.7998, 139.7998), "lambda", ("2026-09-19", NOT_FOUND)),
    "KMS keys": (1, "key of one's own", (1.00, 1.00), "kms", ("2026-06", "2026-08")),
    "X-Ray": (M, "traces", (5.00, 5.00), "xray", ("2026", NOT_FOUND)),
    "transfer out": (1, "GB to the internet, of the first 10 TB", (0.09, 0.15), "ec2", ("2026-09-16", "2026-09-16")),
}.items()}
# fmt: on
