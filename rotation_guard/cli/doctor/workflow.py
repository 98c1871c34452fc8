"""The remediation workflow, and the kill switch that stops its repairs."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .examination import Examination
from .link import Check, Finding, broken, note

_GO = "go"


def list_checks(examination: Examination) -> Iterable[Check]:
    """The state machine and the kill switch."""
    if not examination.expects("state_machine_arn"):
        return []
    return [
        Check("workflow", "state machine", (lambda: _check_machine(examination),)),
        Check("workflow", "kill switch", (lambda: _check_switch(examination),)),
    ]


def judge_machine(arn: str, machine: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Whether a state machine can run, and logs its errors."""
    if machine is None:
        yield broken(f"The state machine {arn} does not exist.")
        return
    if machine.get("status") != "ACTIVE":
        yield broken(f"The state machine {arn} is {machine.get('status')}.")
    logging = machine.get("loggingConfiguration") or {}
    if logging.get("level", "OFF") == "OFF" or not logging.get("destinations"):
        yield broken(f"The state machine {arn} does not log its errors.")


def judge_switch(name: str, parameter: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Whether repairs are stopped. A switch that somebody set on purpose is ok, and said; a missing one is broken."""
    if parameter is None:
        yield broken(f"The parameter {name} does not exist, so remediation is stopped.")
    elif parameter["Value"].strip().lower() != _GO:
        yield note(
            f"Remediation is stopped: the parameter {name} is {parameter['Value']!r}. "
            "`rotation-guard remediation status` says by whom and why.",
            is_warning=True,
        )


def _check_machine(examination: Examination) -> Iterator[Finding]:
    arn = examination.output("state_machine_arn")
    yield from judge_machine(arn, examination.read("states:DescribeStateMachine", stateMachineArn=arn))


def _check_switch(examination: Examination) -> Iterator[Finding]:
    name = examination.output("kill_switch_parameter_name")
    response = examination.read("ssm:GetParameter", Name=name)
    yield from judge_switch(name, None if response is None else response["Parameter"])
