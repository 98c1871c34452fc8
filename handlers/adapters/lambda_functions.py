"""Lambda functions, which a change of their configuration makes start anew.

Their environment may hold anything: it is kept as it is, and never logged, answered or written down.
"""

from collections.abc import Mapping
from typing import Any

from rotation_guard.domain.remediation.restarts import (
    CannotBeRestarted,
    NotReady,
    RestartState,
    RestartStatus,
    TransientError,
)

from .client_errors import CALL_SECONDS, translate_client_errors
from .clients import client

STARTING_ACTIONS = frozenset({"lambda:GetFunctionConfiguration", "lambda:UpdateFunctionConfiguration"})
WATCHING_ACTIONS = frozenset({"lambda:GetFunctionConfiguration"})
VARIABLE = "ROTATION_GUARD_RESTARTED_FOR"
"""The variable that is changed."""
ATTEMPTS = 3
"""How often to look again when somebody else changed the function in between."""
_FOR_GOOD = frozenset(
    {
        "CodeSigningConfigNotFoundException",
        "CodeVerificationFailedException",
        "InvalidCodeSignatureException",
        "InvalidParameterValueException",
        "ResourceNotFoundException",
    }
)
"""https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html"""
_IN_PROGRESS = frozenset({"ResourceConflictException"})
"""Another operation is in progress (the same page): Lambda refuses an update while the function is created, and while
the update before it is carried out (https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html)."""
_UNUSABLE = ("Failed", "Deleting")
"""States of a function that no update ends: one that could not be created has to be made anew (the same page)."""
_UNREADABLE = (
    "Its environment variables cannot be decrypted by this stack, so they could not be kept: restart it by hand."
)


class LambdaFunctions:
    """The functions of this account and Region."""

    def __init__(self) -> None:
        self._lambda = client("lambda", CALL_SECONDS)

    def look(self, target_arn: str) -> None:
        """Nothing: the token tells."""

    def start(self, target_arn: str, token: str, before: tuple[str, ...]) -> str:
        """Sets a variable to the token, which ends all running environments, unless that is done; answers the token.

        All variables are replaced at once, so the revision that they were read with has to be the latest still.
        Raises CannotBeRestarted, NotReady and PassingTrouble.
        """
        for _ in range(ATTEMPTS):
            if self._is_set(target_arn, token):
                return token
        raise TransientError("PreconditionFailedException")

    def state(self, target_arn: str, handle: str, before: tuple[str, ...]) -> RestartStatus:
        """How the latest update of the function stands, this or a newer one. Raises as `start` does.

        (https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html)
        """
        with translate_client_errors(_FOR_GOOD):
            configuration = self._lambda.get_function_configuration(FunctionName=target_arn)
        _check_usable(configuration)
        code = configuration.get("LastUpdateStatusReasonCode", "without a code")
        standings = {
            "Successful": RestartStatus(RestartState.SETTLED),
            "Failed": RestartStatus(RestartState.FAILED, f"Its update failed: {code}."),
        }
        return standings.get(configuration.get("LastUpdateStatus", ""), RestartStatus(RestartState.STARTED))

    def _is_set(self, target_arn: str, token: str) -> bool:
        """Whether the variable is set now; False when another was faster."""
        with translate_client_errors(_FOR_GOOD, _IN_PROGRESS):
            configuration = self._lambda.get_function_configuration(FunctionName=target_arn)
            environment = configuration.get("Environment", {})
            if "Error" in environment:
                raise CannotBeRestarted(_UNREADABLE)
            variables = environment.get("Variables", {})
            if variables.get(VARIABLE) == token:
                return True
            _check_usable(configuration)
            if configuration.get("State") == "Pending" or configuration.get("LastUpdateStatus") == "InProgress":
                raise NotReady("AWS is busy with it: an earlier update is in progress.")
            try:
                self._lambda.update_function_configuration(
                    FunctionName=target_arn,
                    RevisionId=configuration["RevisionId"],
                    Environment={"Variables": {**variables, VARIABLE: token}},
                )
            except self._lambda.exceptions.PreconditionFailedException:
                return False
        return True


def _check_usable(configuration: Mapping[str, Any]) -> None:
    state = configuration.get("State", "")
    if state in _UNUSABLE:
        raise CannotBeRestarted(f"The function is in state {state}.")
