"""Decides what is open to everybody without a Principal that says so, and what is open only in appearance."""

import re
from collections.abc import Iterator

from . import kinds
from .finding import Finding
from .policy_documents import Statement
from .stack import Resource

_READING = re.compile(r"s3:getobject(version)?", re.IGNORECASE)

WEBSITE = (
    "If its objects are meant to be public, as those of a website, serve them through CloudFront with origin access "
    "control, or make an exemption"
)
"""What to do about objects that everybody may read."""


def of_function_url(url: Resource) -> Iterator[Finding]:
    """A function's URL without authorization is open to the internet.

    The provider adds the permission that AWS asks for besides (https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html).
    """
    if url.text("authorizationType") == "NONE":
        yield Finding(
            f"The function URL {url.name} is public, so anyone on the internet may invoke the function: "
            "authorizationType is NONE.",
            "Set authorizationType to AWS_IAM, or make an exemption if the function authenticates its callers itself.",
        )


def advice(holder: Resource, statement: Statement) -> str:
    """What to set in the place of Principal *. Objects of a bucket that everybody may read may be a website."""
    named = "set Principal to specific accounts, roles or services"
    if holder.type not in (*kinds.BUCKETS, kinds.BUCKET_POLICY):
        return f"S{named[1:]}."
    if holder.has("website"):
        return f"It is configured as a website. {WEBSITE}."
    if statement.actions and all(map(_READING.fullmatch, statement.actions)):
        return f"{WEBSITE}; otherwise {named}."
    return f"S{named[1:]}."
