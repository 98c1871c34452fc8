"""Restarts by Systems Manager automations, which run a document of the user."""

from rotation_guard.domain.remediation.restarts import CannotBeRestarted, RestartState, RestartStatus

from .client_errors import CALL_SECONDS, translate_client_errors
from .clients import client

STARTING_ACTIONS = frozenset({"ssm:StartAutomationExecution", "iam:PassRole"})
WATCHING_ACTIONS = frozenset({"ssm:GetAutomationExecution"})
_PERMANENT_ERRORS = frozenset(
    {
        "AutomationDefinitionNotFoundException",
        "AutomationDefinitionVersionNotFoundException",
        "AutomationExecutionNotFoundException",
        "InvalidAutomationExecutionParametersException",
        "InvalidTarget",
    }
)
"""https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html"""
_BUSY_ERRORS = frozenset({"AutomationExecutionLimitExceededException"})
"""The limit of concurrent automations is reached (the same page)."""
_SETTLED = ("Success", "CompletedWithSuccess")
_FAILED = (
    "Failed",
    "TimedOut",
    "Cancelled",
    "Rejected",
    "CompletedWithFailure",
    "ChangeCalendarOverrideRejected",
    "Exited",
)
"""Final statuses of an automation (https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-statuses.html);
all others are intermediate."""
_STATES = {status: RestartStatus(RestartState.SETTLED) for status in _SETTLED} | {
    status: RestartStatus(RestartState.FAILED, f"Its automation ended as {status}.") for status in _FAILED
}
_LOST = "It was started, but its id is unknown because the response was lost: check the document's automations."


class Automations:
    """The automations of this account and Region."""

    def __init__(self) -> None:
        self._ssm = client("ssm", CALL_SECONDS)

    def list_previous(self, target_arn: str) -> None:
        """None: the idempotency key is enough."""

    def start(self, target_arn: str, idempotency_key: str, before: tuple[str, ...]) -> str:
        """Start an automation of the document's default version, without parameters, and return its id.

        The idempotency key starts only one. AWS documents that it cannot be reused, but not whether a second call
        returns the first automation or fails; both are handled. Raises CannotBeRestarted, NotReady and TransientError.
        """
        name = target_arn.rpartition("/")[2]
        with translate_client_errors(_PERMANENT_ERRORS, _BUSY_ERRORS):
            try:
                return self._ssm.start_automation_execution(DocumentName=name, ClientToken=idempotency_key)[
                    "AutomationExecutionId"
                ]
            except self._ssm.exceptions.IdempotentParameterMismatch:
                raise CannotBeRestarted(_LOST) from None

    def read_status(self, target_arn: str, restart_id: str, before: tuple[str, ...]) -> RestartStatus:
        """The status of this automation. Raises as `start` does."""
        with translate_client_errors(_PERMANENT_ERRORS):
            response = self._ssm.get_automation_execution(AutomationExecutionId=restart_id)
        return _STATES.get(
            response["AutomationExecution"]["AutomationExecutionStatus"], RestartStatus(RestartState.STARTED)
        )
