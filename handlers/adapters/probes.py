"""Calls probes: functions of the user that test whether one version of a secret works.

Only the field `works` of a response is used. The rest may contain anything, even a value, so it is never stored, logged
or returned.
"""

import json
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from rotation_guard.domain.remediation.decisions import Proof

from .clients import client

ACTIONS = frozenset({"lambda:InvokeFunction"})
MAXIMUM_RESPONSE_BYTES = 65_536
"""A longer response is invalid."""
_PROOFS = {True: Proof.WORKS, False: Proof.BROKEN}
_REFUSALS = {
    "AccessDeniedException": "may not be called: access denied",
    "ResourceNotFoundException": "does not exist",
    "TooManyRequestsException": "was throttled",
}
"""https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors"""


@dataclass(frozen=True)
class ProbeResult:
    """What a probe said about one version."""

    proof: Proof
    """`works`, `broken` or `unknown`."""
    note: str = ""
    """Why the proof is unknown, as a sentence."""


class Probe:
    """The probe with this ARN, with a timeout for each call."""

    def __init__(self, function_arn: str, timeout_seconds: int) -> None:
        self._function_arn, self._timeout_seconds = function_arn, timeout_seconds
        self._lambda = client("lambda", timeout_seconds)

    def test(self, secret_arn: str, version: str, label: str) -> ProbeResult:
        """Test whether the version with this label works. Every error results in `unknown`; none is raised."""
        request = {"SecretId": secret_arn, "VersionId": version, "VersionStage": label}
        try:
            parse_response, problem = self._call(request)
        except ReadTimeoutError:
            parse_response, problem = None, f"timed out after {self._timeout_seconds} s"
        except ClientError as error:
            code = error.response["Error"]["Code"]
            parse_response, problem = None, _REFUSALS.get(code, f"could not be called ({code})")
        except BotoCoreError:
            parse_response, problem = None, "could not be reached"
        return (
            ProbeResult(parse_response)
            if parse_response
            else ProbeResult(Proof.UNKNOWN, f"The probe of {label} {problem}.")
        )

    def _call(self, request: dict[str, str]) -> tuple[Proof | None, str]:
        """The proof, or else what was wrong with the response."""
        response = self._lambda.invoke(FunctionName=self._function_arn, Payload=json.dumps(request))
        with closing(response["Payload"]) as payload:
            if "FunctionError" in response:
                return None, "ended with an error"
            body = payload.read(MAXIMUM_RESPONSE_BYTES + 1)
        if len(body) > MAXIMUM_RESPONSE_BYTES:
            return None, f"answered more than {MAXIMUM_RESPONSE_BYTES} bytes"
        return parse_response(body), "answered neither works: true nor works: false"


def parse_response(body: bytes) -> Proof | None:
    """The proof in a response: only a JSON object whose `works` is exactly true or false proves anything."""
    try:
        # Keep duplicate names: by default Python silently uses the last one.
        document = json.loads(body, object_pairs_hook=_Fields)
    except (ValueError, RecursionError):
        return None
    works = [value for name, value in document if name == "works"] if isinstance(document, _Fields) else []
    return _PROOFS[works[0]] if len(works) == 1 and isinstance(works[0], bool) else None


class _Fields(list[tuple[str, Any]]):
    """A JSON object as a list of its fields."""
