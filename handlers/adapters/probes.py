"""Functions of the user's that tell whether a version of a secret works: each is asked one question at a time.

Of what they answer one word is read. The rest may hold anything, a value too: it is kept, logged and answered nowhere.
"""

import json
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from rotation_guard.domain.remediation.decisions import Proof

from .clients import client

ACTIONS = frozenset({"lambda:InvokeFunction"})
LARGEST_ANSWER = 65_536
"""Bytes that are read of an answer; one that is longer is no answer."""
_PROOFS = {True: Proof.WORKS, False: Proof.BROKEN}
_REFUSALS = {
    "AccessDeniedException": "may not be called: access denied",
    "ResourceNotFoundException": "does not exist",
    "TooManyRequestsException": "was throttled",
}
"""https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors"""


@dataclass(frozen=True)
class Told:
    """What a probe said of one version."""

    proof: Proof
    """`works`, `broken` or `unknown`."""
    note: str = ""
    """Why nothing is known, in a sentence of ours."""


class Probe:
    """The probe of this ARN, which has so many seconds for each answer."""

    def __init__(self, function_arn: str, timeout_seconds: int) -> None:
        self._function_arn, self._timeout_seconds = function_arn, timeout_seconds
        self._lambda = client("lambda", timeout_seconds)

    def ask(self, secret_arn: str, version: str, label: str) -> Told:
        """Whether the version that holds this label works. Whatever goes wrong is `unknown`, and never raised."""
        question = {"SecretId": secret_arn, "VersionId": version, "VersionStage": label}
        try:
            proof, problem = self._answer(question)
        except ReadTimeoutError:
            proof, problem = None, f"timed out after {self._timeout_seconds} s"
        except ClientError as error:
            code = error.response["Error"]["Code"]
            proof, problem = None, _REFUSALS.get(code, f"could not be called ({code})")
        except BotoCoreError:
            proof, problem = None, "could not be reached"
        return Told(proof) if proof else Told(Proof.UNKNOWN, f"The probe of {label} {problem}.")

    def _answer(self, question: dict[str, str]) -> tuple[Proof | None, str]:
        """The proof, or else what was wrong with the answer."""
        response = self._lambda.invoke(FunctionName=self._function_arn, Payload=json.dumps(question))
        with closing(response["Payload"]) as payload:
            if "FunctionError" in response:
                return None, "ended with an error"
            answer = payload.read(LARGEST_ANSWER + 1)
        if len(answer) > LARGEST_ANSWER:
            return None, f"answered more than {LARGEST_ANSWER} bytes"
        return proof(answer), "answered neither works: true nor works: false"


def proof(answer: bytes) -> Proof | None:
    """What an answer proves: only a JSON object whose `works` is exactly true or false proves anything."""
    try:
        # An array for each object: Python would take the last of two values of one name, and say nothing.
        said = json.loads(answer, object_pairs_hook=_Fields)
    except (ValueError, RecursionError):
        return None
    works = [value for name, value in said if name == "works"] if isinstance(said, _Fields) else []
    return _PROOFS[works[0]] if len(works) == 1 and isinstance(works[0], bool) else None


class _Fields(list[tuple[str, Any]]):
    """A JSON object, with each field that was written."""
