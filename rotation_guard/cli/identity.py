"""Who reads, and from where: the account, its alias, the Region and the caller that every report names."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .aws import AwsSession, translate_aws_errors
from .errors import Unreachable

DISTRIBUTION = "rotation-guard"


@dataclass(frozen=True)
class Identity:
    """An account and Region, and the caller; None is unknown."""

    account_id: str | None = None
    account_alias: str | None = None
    region: str | None = None
    caller_arn: str | None = None

    def describe(self) -> str:
        """The account with its alias, and the Region."""
        account = self.account_id or "unknown"
        alias = f" ({self.account_alias})" if self.account_alias else ""
        return f"{account}{alias}, Region {self.region or 'unknown'}"

    def to_json(self) -> Mapping[str, Any]:
        """Its fields, of which any may be null."""
        return asdict(self)


def begin_identity(session: AwsSession) -> "Future[Identity]":
    """Read the identity while the command reads what it reports. The future raises CommandError without credentials."""
    threads = ThreadPoolExecutor(1, thread_name_prefix="identity")
    try:
        return threads.submit(read_identity, session)
    finally:
        threads.shutdown(wait=False)


def read_identity(session: AwsSession) -> Identity:
    """The caller of this session and its account; what cannot be read, such as behind an endpoint policy, is unknown.

    GetCallerIdentity needs no permission (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html),
    and the alias needs iam:ListAccountAliases: it is left out where that is refused.
    """
    sts = session.client("sts", optional=True)
    region = sts.meta.region_name
    try:
        with translate_aws_errors(session):
            answer = sts.get_caller_identity()
            account, caller = answer["Account"], answer["Arn"]
    except (Unreachable, KeyError, TypeError):
        # What the command is about says so in its own words if the credentials are no good. A proxy may answer with
        # XML of its own, from which botocore takes what is not there.
        return Identity(region=region)
    return Identity(account, _read_alias(session), region, caller)


def product_version() -> str | None:
    """The version of this package; None in a checkout that is not installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return None


def _read_alias(session: AwsSession) -> str | None:
    try:
        with translate_aws_errors(session):
            aliases = session.client("iam", optional=True).list_account_aliases()["AccountAliases"]
    except (Unreachable, KeyError, TypeError):
        return None
    return next(iter(aliases), None)
