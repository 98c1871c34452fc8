"""Sessions with AWS or the local deployment, and one sentence for every error that boto3 raises."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore import __version__ as botocore_version
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)

from .errors import Refused, Unreachable

CONNECTIONS = 16
"""Concurrent calls of one command."""
_USER_AGENT = f"rotation-guard Botocore/{botocore_version}"
"""What CloudTrail records of every call. Botocore would compose its own for each call anew, twice, which is a fifth of
the processor time of a call."""
_CLIENT_CONFIG: dict[str, Any] = {
    "user_agent": _USER_AGENT,
    "connect_timeout": 5,
    "read_timeout": 30,
    "max_pool_connections": CONNECTIONS,
    # Adaptive: it slows down before it is throttled, because applications share the account's quotas.
    "retries": {"mode": "adaptive", "total_max_attempts": 10},
}
_OPTIONAL_CALLS: dict[str, Any] = {"connect_timeout": 2, "read_timeout": 5, "retries": {"total_max_attempts": 2}}
"""In place of some of these, for what a command can do without: a subnet may have no way to the service."""
_LOCAL_CLIENT_CONFIG: dict[str, Any] = {
    "user_agent": _USER_AGENT,
    "connect_timeout": 2,
    "read_timeout": 30,
    "max_pool_connections": CONNECTIONS,
    "retries": {"mode": "standard", "total_max_attempts": 2},
    # A proxy cannot reach this machine.
    "proxies": {},
    "use_fips_endpoint": False,
    "use_dualstack_endpoint": False,
}


@dataclass(frozen=True)
class AwsSession:
    """The profile, Region and endpoint that a command calls AWS with."""

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    """Where the local deployment listens; None for AWS itself."""
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)

    @property
    def description(self) -> str:
        """The subject of an error message."""
        if self.endpoint_url:
            return f"The local deployment at {self.endpoint_url}"
        return f"AWS in {self.region or 'the Region of the profile'}"

    def client(self, service: str, *, optional: bool = False, validated: bool = True) -> Any:
        """A boto3 client of this service; an `optional` one gives up soon, because the command can do without it.

        One that is not `validated` leaves the check of parameters to AWS: for thousands of calls that differ in an ARN
        it is another sixth of the processor time.
        """
        # Imported here because it takes longer than the help of a command.
        import boto3
        from botocore.config import Config

        with translate_aws_errors(self):
            session = boto3.Session(
                aws_access_key_id=self.access_key_id,
                aws_secret_access_key=self.secret_access_key,
                profile_name=self.profile,
                # botocore reads AWS_DEFAULT_REGION alone; the AWS CLI and the other SDKs prefer AWS_REGION
                # (https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html).
                region_name=self.region or os.environ.get("AWS_REGION") or None,
                botocore_session=_isolated_session() if self.endpoint_url else None,
            )
            settings = _LOCAL_CLIENT_CONFIG if self.endpoint_url else _CLIENT_CONFIG
            changes = {"parameter_validation": validated} | (_OPTIONAL_CALLS if optional else {})
            config = Config(**settings | changes)
            try:
                return session.client(service, endpoint_url=self.endpoint_url, config=config)
            except ValueError as error:  # an invalid endpoint URL
                raise Unreachable(f"{self.description} cannot be reached: {error}") from None


@contextmanager
def translate_aws_errors(session: AwsSession, context: str = "") -> Generator[None]:
    """Raise Unreachable, with one sentence, in place of what boto3 raises; `context` precedes a refusal."""
    try:
        yield
    except ClientError as error:
        response = error.response.get("Error", {})
        message = " ".join(str(response.get("Message") or "").split())
        prefix = f"{context}: " if context else ""
        code = str(response.get("Code"))
        raise Refused(f"{prefix}{error.operation_name} was refused: {code}: {message}", code) from None
    except EndpointConnectionError:
        hint = " `make up` starts one." if session.endpoint_url else ""
        raise Unreachable(f"{session.description} does not answer.{hint}") from None
    except NoRegionError:
        raise Unreachable(
            "No Region is configured: give --region, or set AWS_REGION, AWS_DEFAULT_REGION or the profile's region."
        ) from None
    except NoCredentialsError:
        raise Unreachable(
            "No AWS credentials are configured: give --profile, or log in as you do for the AWS CLI."
        ) from None
    except ProfileNotFound:
        option, name = ("--profile", session.profile) if session.profile else _environment_profile()
        raise Unreachable(f"{option} must be a profile of the AWS configuration, got {name!r}.") from None
    except BotoCoreError as error:
        raise Unreachable(f"{session.description} cannot be reached: {' '.join(str(error).split())}") from None
    except _unreadable_responses():
        raise Unreachable(
            f"{session.description} does not answer as AWS does: a proxy or another server may have answered."
        ) from None


def require_field(response: Any, name: str | None) -> Any:
    """The response, if it has this field; otherwise raises what botocore does for one that it cannot read."""
    if name is not None and name not in response:
        from botocore.parsers import ResponseParserError

        raise ResponseParserError(f"no {name} in the response")
    return response


def _unreadable_responses() -> tuple[type[Exception], ...]:
    """What botocore raises if a response is not in the service's format; imported only once something has failed."""
    from botocore.parsers import ResponseParserError

    return (ResponseParserError,)


def _isolated_session() -> Any:
    """A botocore session that ignores the operator's AWS setup, which need not be valid for the local deployment.

    Each setting has its default, whatever the environment and the configuration files say.
    """
    import botocore.session

    variables = botocore.session.Session.SESSION_VARIABLES.items()
    defaults = {name: (None, None, default, None) for name, (_, _, default, _) in variables}
    files = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    return botocore.session.Session(session_vars={**defaults, **files})


def _environment_profile() -> tuple[str, str | None]:
    """The environment variable that names a profile, in the order in which botocore reads them."""
    names = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
    return next(((name, os.environ[name]) for name in names if os.environ.get(name)), ("AWS_PROFILE", None))
