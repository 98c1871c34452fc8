"""Restarts Lambda functions by changing an environment variable.

The other variables may contain secrets: they are kept unchanged, and never logged, returned or stored.
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
"""Optimistic-lock retries when somebody else changed the function in between."""
_PERMANENT_ERRORS = frozenset(
    {
        "CodeSigningConfigNotFoundException",
        "CodeVerificationFailedException",
        "InvalidCodeSignatureException",
        "InvalidParameterValueException",
        "ResourceNotFoundException",
    }
)
"""https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html"""
_BUSY_ERRORS = frozenset({"ResourceConflictException"})
"""Another operation is in progress (the same page): Lambda refuses an update while the function is created, and while
the update before it is carried out (https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html)."""
_UNUSABLE = ("Failed", "Deleting")
"""States of a function that an update cannot change (the same page)."""
_UNREADABLE = (
    "This stack cannot decrypt its environment variables, so it cannot keep them: restart the function manually."
)


class LambdaFunctions:
    """The functions of this account and Region."""

    def __init__(self) -> None:
        self._lambda = client("lambda", CALL_SECONDS)

    def list_previous(self, target_arn: str) -> None:
        """None: the idempotency key is enough."""

    def start(self, target_arn: str, idempotency_key: str, before: tuple[str, ...]) -> str:
        """Set the variable to the idempotency key, which replaces all execution environments, and return the key.

        An update replaces all variables, so it requires the revision that they were read from.
        Raises CannotBeRestarted, NotReady and TransientError.
        """
        for _ in range(ATTEMPTS):
            if self._set(target_arn, idempotency_key):
                return idempotency_key
        raise TransientError("PreconditionFailedException")

    def read_status(self, target_arn: str, restart_id: str, before: tuple[str, ...]) -> RestartStatus:
        """The status of the function's latest update, this one or a newer one. Raises as `start` does.

        (https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html)
        """
        with translate_client_errors(_PERMANENT_ERRORS):
            configuration = self._lambda.get_function_configuration(FunctionName=target_arn)
        _check_usable(configuration)
        code = configuration.get("LastUpdateStatusReasonCode", "without a code")
        statuses = {
            "Successful": RestartStatus(RestartState.SETTLED),
            "Failed": RestartStatus(RestartState.FAILED, f"Its update failed: {code}."),
        }
        return statuses.get(configuration.get("LastUpdateStatus", ""), RestartStatus(RestartState.STARTED))

    def _set(self, target_arn: str, idempotency_key: str) -> bool:
        """Set the variable; False if somebody else changed the function in between."""
        with translate_client_errors(_PERMANENT_ERRORS, _BUSY_ERRORS):
            configuration = self._lambda.get_function_configuration(FunctionName=target_arn)
            environment = configuration.get("Environment", {})
            if "Error" in environment:
                raise CannotBeRestarted(_UNREADABLE)
            variables = environment.get("Variables", {})
            if variables.get(VARIABLE) == idempotency_key:
                return True
            _check_usable(configuration)
            if configuration.get("State") == "Pending" or configuration.get("LastUpdateStatus") == "InProgress":
                raise NotReady("AWS is busy with it: an earlier update is in progress.")
            try:
                self._lambda.update_function_configuration(
                    FunctionName=target_arn,
                    RevisionId=configuration["RevisionId"],
                    Environment={"Variables": {**variables, VARIABLE: idempotency_key}},
                )
            except self._lambda.exceptions.PreconditionFailedException:
                return False
        return True


def _check_usable(configuration: Mapping[str, Any]) -> None:
    state = configuration.get("State", "")
    if state in _UNUSABLE:
        raise CannotBeRestarted(f"The function is in state {state}.")
