"""What an endpoint has to look like for each protocol that SNS speaks."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pulumi

from ..integrations.receivers import RECEIVERS, is_endpoint

RAW_DELIVERY = ("sqs", "http", "https", "firehose")
"""Protocols that can deliver the message alone
(https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html)."""

_VISIBLE = r"[!-~]"
_ADDRESS = r"[!-?A-~]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z0-9-]+"
_ARN = r"arn:aws[\w-]*:{}:[\w-]+:\d{{12}}:{}"
_SHAPES: Mapping[str, tuple[str, str]] = {
    "http": (rf"http://{_VISIBLE}+", "a URL that begins with http://"),
    "https": (rf"https://{_VISIBLE}+", "a URL that begins with https://"),
    "email": (_ADDRESS, "an e-mail address"),
    "email-json": (_ADDRESS, "an e-mail address"),
    "sms": (r"\+[1-9][0-9]{6,14}", "a phone number with its country code, such as +15551234567"),
    "sqs": (_ARN.format("sqs", r"(?!\S*\.fifo)[\w-]{1,80}"), "the ARN of a standard SQS queue"),
    # Lambda admits nobody to the version $LATEST (https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html).
    "lambda": (
        _ARN.format("lambda", r"function:[\w-]+(?::[\w-]+)?"),
        "the ARN of a Lambda function, or of an alias or a version of one but $LATEST,",
    ),
    "application": (_ARN.format("sns", rf"(?:endpoint|app)/{_VISIBLE}+"), "the ARN of a mobile app or device"),
    "firehose": (_ARN.format("firehose", r"deliverystream/[\w.-]+"), "the ARN of a Firehose stream"),
}
SNS_PROTOCOLS = tuple(_SHAPES)
"""All that SNS takes (https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html)."""
PROTOCOLS = (*SNS_PROTOCOLS, *RECEIVERS)
"""All that a subscription may have."""


def endpoint_complaint(protocol: Any, endpoint: Any) -> tuple[str, str] | None:
    """Which of the two is wrong, `.protocol` or `.endpoint`, and what it must be; None when they fit."""
    if not isinstance(protocol, str) or protocol not in PROTOCOLS:
        return ".protocol", f"one of {', '.join(PROTOCOLS)}"
    if isinstance(endpoint, pulumi.Output):
        return None
    if protocol in RECEIVERS:
        what = f"{RECEIVERS[protocol].what} for protocol {protocol}"
        return None if is_endpoint(protocol, endpoint) else (".endpoint", what)
    shape, allowed = _SHAPES[protocol]
    if (
        not isinstance(endpoint, str)
        or not re.fullmatch(shape, endpoint, re.ASCII)
        or not _names_host(protocol, endpoint)
    ):
        return ".endpoint", f"{allowed} for protocol {protocol}"
    return None


def normalize_endpoint(protocol: str, endpoint: str) -> str:
    """The endpoint without differences that SNS may not see: the case of e-mail addresses and of a URL's host."""
    if protocol in ("email", "email-json"):
        return endpoint.lower()
    if protocol in ("http", "https"):
        scheme, separator, rest = endpoint.partition("://")
        host = re.split(r"[/?#]", rest, maxsplit=1)[0]
        return scheme + separator + host.lower() + rest[len(host) :]
    return endpoint


def _names_host(protocol: str, endpoint: str) -> bool:
    if protocol not in ("http", "https"):
        return True
    try:
        parts = urlsplit(endpoint)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an IPv6 address that cannot be read
        return False
