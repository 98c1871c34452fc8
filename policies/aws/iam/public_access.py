"""Public access without a Principal *, and policies whose public access is blocked or meant for a website."""

import re
from collections.abc import Iterator

from ...model import resource_types
from ...model.finding import Finding
from ...model.stack import Resource, Stack
from ...model.values import any_of
from .policy_documents import Statement

_READING = re.compile(r"s3:getobject(version)?", re.IGNORECASE)
_OF_BUCKETS = (*resource_types.BUCKETS, resource_types.BUCKET_POLICY)

WEBSITE = (
    "If its objects are meant to be public, as those of a website, serve them through CloudFront with origin access "
    "control, or make an exemption"
)
"""Advice for public objects of a bucket."""


def check_function_url(url: Resource) -> Iterator[Finding]:
    """Report a function URL without authorization, which is public.

    The provider adds the permission that AWS also requires (https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html).
    """
    if url.text("authorizationType") == "NONE":
        yield Finding(
            f"The function URL {url.name} is public, so anyone on the internet may invoke the function: "
            "authorizationType is NONE.",
            "Set authorizationType to AWS_IAM, or make an exemption if the function authenticates its callers itself.",
        )


def advice(holder: Resource, statement: Statement, *, is_website: bool) -> str:
    """What to do about Principal *; public objects of a bucket may be a website."""
    named = "set Principal to specific accounts, roles or services"
    if holder.type not in _OF_BUCKETS:
        return f"S{named[1:]}."
    if is_website:
        return f"It is configured as a website. {WEBSITE}."
    if only_reads_objects(statement):
        return f"{WEBSITE}; otherwise {named}."
    return f"S{named[1:]}."


def only_reads_objects(statement: Statement) -> bool:
    """Whether a statement allows only reading the objects of a bucket."""
    return bool(statement.actions) and all(map(_READING.fullmatch, statement.actions))


def is_website(stack: Stack, holder: Resource) -> bool:
    """Whether the bucket of a policy is configured as a website."""
    if holder.type not in _OF_BUCKETS:
        return False
    bucket = _bucket(stack, holder)
    return (bucket is not None and bucket.has("website")) or bool(
        _about(stack, holder, bucket, resource_types.BUCKET_WEBSITES)
    )


def is_blocked(stack: Stack, holder: Resource) -> bool:
    """Whether a bucket ignores public access in its policy.

    RestrictPublicBuckets of the bucket or the account does that
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html). Raises Undecided
    where an unknown value decides.
    """
    if holder.type not in _OF_BUCKETS:
        return False
    own = _about(stack, holder, _bucket(stack, holder), (resource_types.BUCKET_BLOCK,))
    return any_of(
        (*own, *stack.of_type(resource_types.ACCOUNT_BLOCK)),
        lambda block: block.flag("restrictPublicBuckets", absent=False),
    )


def _bucket(stack: Stack, holder: Resource) -> Resource | None:
    return holder if holder.type in resource_types.BUCKETS else stack.target(holder, "bucket", *resource_types.BUCKETS)


def _about(stack: Stack, holder: Resource, bucket: Resource | None, types: tuple[str, ...]) -> list[Resource]:
    """The resources of these types for the same bucket, which may be in another stack."""
    if bucket is not None:
        return [resource for type_ in types for resource in stack.referring(bucket, "bucket", type_).certain]
    name = holder.value("bucket")
    return [
        resource for resource in stack.of_type(*types) if isinstance(name, str) and resource.value("bucket") == name
    ]
