"""Automations of Systems Manager, for whatever is restarted by a document of the user's."""

from rotation_guard.domain.remediation.restarts import CannotBeRestarted, RestartState, RestartStatus

from .client_errors import CALL_SECONDS, translate_client_errors
from .clients import client

STARTING_ACTIONS = frozenset({"ssm:StartAutomationExecution", "iam:PassRole"})
WATCHING_ACTIONS = frozenset({"ssm:GetAutomationExecution"})
_FOR_GOOD = frozenset(
    {
        "AutomationDefinitionNotFoundException",
        "AutomationDefinitionVersionNotFoundException",
        "AutomationExecutionNotFoundException",
        "InvalidAutomationExecutionParametersException",
        "InvalidTarget",
    }
)
"""https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html"""
_IN_PROGRESS = frozenset({"AutomationExecutionLimitExceededException"})
"""As many automations as are allowed at a time are running: one has to end first (the same page)."""
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
"""How an automation ends (https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-statuses.html); all
other statuses are on the way there."""
_STATES = {status: RestartStatus(RestartState.SETTLED) for status in _SETTLED} | {
    status: RestartStatus(RestartState.FAILED, f"Its automation ended as {status}.") for status in _FAILED
}
_LOST = "It was started, but the answer was lost, so it cannot be watched: look at the document's automations."


class Automations:
    """The automations of this account and Region."""

    def __init__(self) -> None:
        self._ssm = client("ssm", CALL_SECONDS)

    def look(self, target_arn: str) -> None:
        """Nothing: the token tells."""

    def start(self, target_arn: str, token: str, before: tuple[str, ...]) -> str:
        """Starts an automation of the document, in its default version and without parameters, and answers its id.

        The token starts one and no more. AWS says that it cannot be reused, and not whether a second call is answered
        with the first one's automation or refused: both will do. Raises CannotBeRestarted, NotReady
        and PassingTrouble.
        """
        name = target_arn.rpartition("/")[2]
        with translate_client_errors(_FOR_GOOD, _IN_PROGRESS):
            try:
                return self._ssm.start_automation_execution(DocumentName=name, ClientToken=token)[
                    "AutomationExecutionId"
                ]
            except self._ssm.exceptions.IdempotentParameterMismatch:
                raise CannotBeRestarted(_LOST) from None

    def state(self, target_arn: str, handle: str, before: tuple[str, ...]) -> RestartStatus:
        """How the automation of this id stands. Raises as `start` does."""
        with translate_client_errors(_FOR_GOOD):
            answer = self._ssm.get_automation_execution(AutomationExecutionId=handle)
        return _STATES.get(
            answer["AutomationExecution"]["AutomationExecutionStatus"], RestartStatus(RestartState.STARTED)
        )
