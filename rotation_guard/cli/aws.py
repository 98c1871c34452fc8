"""The way to AWS, with the caller's own credentials, and what stands in it told in a sentence."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)

from .problems import Unreachable

CONNECTIONS = 16
"""Calls that one command has under way at once."""
_PATIENCE = Config(
    connect_timeout=5,
    read_timeout=30,
    max_pool_connections=CONNECTIONS,
    # Adaptive: it slows down before it is throttled, as the account's quotas are shared with applications.
    retries={"mode": "adaptive", "total_max_attempts": 10},
)
_NEARBY = Config(
    connect_timeout=2,
    read_timeout=30,
    max_pool_connections=CONNECTIONS,
    retries={"mode": "standard", "total_max_attempts": 2},
    # The developer's proxy knows no way to this machine.
    proxies={},
    use_fips_endpoint=False,
    use_dualstack_endpoint=False,
)
# For the local deployment nothing of the operator's AWS setup counts, nor has to be right: each setting has its
# default, whatever the environment and the files say that botocore would read.
_ISOLATED = {
    **{
        name: (None, None, default, None)
        for name, (_, _, default, _) in botocore.session.Session.SESSION_VARIABLES.items()
    },
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


@dataclass(frozen=True)
class Way:
    """How an account is reached."""

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    """Where the local deployment listens; None for AWS itself."""
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)

    @property
    def description(self) -> str:
        """In words for messages."""
        if self.endpoint_url:
            return f"The local deployment at {self.endpoint_url}"
        return f"AWS in {self.region or 'the Region of the profile'}"

    def client(self, service: str) -> Any:
        """A client of this service."""
        with said(self):
            session = boto3.Session(
                aws_access_key_id=self.access_key_id,
                aws_secret_access_key=self.secret_access_key,
                profile_name=self.profile,
                # botocore reads AWS_DEFAULT_REGION alone; the AWS CLI and the other SDKs prefer AWS_REGION
                # (https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html).
                region_name=self.region or os.environ.get("AWS_REGION") or None,
                botocore_session=botocore.session.Session(session_vars=_ISOLATED) if self.endpoint_url else None,
            )
            config = _NEARBY if self.endpoint_url else _PATIENCE
            try:
                return session.client(service, endpoint_url=self.endpoint_url, config=config)
            except ValueError as error:  # an endpoint that is no address
                raise Unreachable(f"{self.description} cannot be reached: {error}") from None


@contextmanager
def said(way: Way, doing: str = "") -> Generator[None]:
    """Turns what AWS and boto3 raise meanwhile into a sentence."""
    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        told = " ".join(str(answer.get("Message") or "").split())
        what = f"{doing}: " if doing else ""
        raise Unreachable(f"{what}{error.operation_name} was refused: {answer.get('Code')}: {told}") from None
    except EndpointConnectionError:
        more = " `make up` starts one." if way.endpoint_url else ""
        raise Unreachable(f"{way.description} does not answer.{more}") from None
    except NoRegionError:
        raise Unreachable(
            "No Region is known: give --region, or set AWS_REGION, AWS_DEFAULT_REGION or the profile's region."
        ) from None
    except NoCredentialsError:
        raise Unreachable("No AWS credentials are known: give --profile, or log in as the AWS CLI does.") from None
    except ProfileNotFound:
        option, name = ("--profile", way.profile) if way.profile else _profile_of_environment()
        raise Unreachable(f"{option} must be a profile of the AWS configuration, got {name!r}.") from None
    except BotoCoreError as error:
        raise Unreachable(f"{way.description} cannot be reached: {' '.join(str(error).split())}") from None


def _profile_of_environment() -> tuple[str, str | None]:
    """The variable that names a profile, in the order in which botocore reads them."""
    names = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
    return next(((name, os.environ[name]) for name in names if os.environ.get(name)), ("AWS_PROFILE", None))
