"""AWS's list prices in dollars, without free tiers, volume discounts and taxes, with where and when they were read.

AWS's price pages show what its price list files hold; these are figures of those files, read in public copies of them
whose dates are given (the key's in other people's account of the page, and of a bill). Look them up again before a
budget rests on them.
"""

from __future__ import annotations

import dataclasses

REGIONS = ("us-east-1", "sa-east-1")
MILLION = 1_000_000


@dataclasses.dataclass(frozen=True)
class Price:
    """What so many of a unit cost in each of `REGIONS`."""

    count: int
    unit: str
    dollars: tuple[float, float]
    page: str  # of aws.amazon.com
    read: tuple[str, str]  # when, in each region


UNCONFIRMED = "not found: us-east-1's"
PRICES = {
    "HTTP API": Price(
        MILLION, "requests of up to 512 KB", (1.00, 1.59), "api-gateway/pricing", ("2026-09-20", "2026-10-08")
    ),
    "Lambda requests": Price(MILLION, "requests", (0.20, 0.20), "lambda/pricing", ("2026-09-11", "2026-10-08")),
    "Lambda time": Price(
        MILLION, "GB-seconds, x86", (16.6667, 16.6667), "lambda/pricing", ("2026-09-11", "2026-10-08")
    ),
    "Lambda storage": Price(
        MILLION, "GB-seconds of /tmp over 512 MB", (0.0309, 0.0309), "lambda/pricing", ("2026-08-31", UNCONFIRMED)
    ),
    "Step Functions": Price(
        MILLION, "state transitions, Standard", (25.00, 37.50), "step-functions/pricing", ("2026-09", "2026")
    ),
    "S3 writes": Price(MILLION, "PUT and LIST", (5.00, 7.00), "s3/pricing", ("2026-09-28", "2026-09-26")),
    "S3 reads": Price(MILLION, "GET and HEAD", (0.40, 0.56), "s3/pricing", ("2026-09-28", "2026-09-26")),
    "S3 storage": Price(1, "GB-month, Standard", (0.023, 0.0405), "s3/pricing", ("2026-09-28", "2026-09-26")),
    "logs": Price(1, "GB taken in", (0.50, 0.90), "cloudwatch/pricing", ("2026-09-21", "2026-10-08")),
    "log storage": Price(1, "GB-month, compressed", (0.03, 0.0408), "cloudwatch/pricing", ("2025-10-28", "2026-09-22")),
    "custom metrics": Price(
        1, "metric-month, of the first 10,000", (0.30, 0.30), "cloudwatch/pricing", ("2026-09-21", UNCONFIRMED)
    ),
    "alarms": Price(
        1, "metric of an alarm, standard resolution", (0.10, 0.10), "cloudwatch/pricing", ("2026-09-21", UNCONFIRMED)
    ),
    "dashboards": Price(
        1, "dashboard, in any region", (3.00, 3.00), "cloudwatch/pricing", ("2026-10-06", "2026-10-06")
    ),
    "SnapStart cache": Price(
        MILLION, "GB-seconds of each version", (1.5046, 1.5046), "lambda/pricing", ("2026-09-19", UNCONFIRMED)
    ),
    "SnapStart restores": Price(MILLION, "GB", (139.7998, 139.7998), "lambda/pricing", ("2026-09-19", UNCONFIRMED)),
    "KMS keys": Price(1, "key of one's own", (1.00, 1.00), "kms/pricing", ("2026-06", "2026-08")),
    "X-Ray": Price(MILLION, "traces", (5.00, 5.00), "xray/pricing", ("2026", UNCONFIRMED)),
    "transfer out": Price(
        1, "GB to the internet, of the first 10 TB", (0.09, 0.15), "ec2/pricing/on-demand", ("2026-09-16", "2026-09-16")
    ),
}
