"""Findings of the validators that we have looked at and leave as they are, each with the reason.

Whoever accepts one adds a line here and to docs/validators.md. One that no longer occurs has to go: the tests compare.
"""

from collections.abc import Iterable, Mapping

_NOT_IN_GOVCLOUD = "who subscribes no chat or pager has none; whether GovCloud has them is among what is unproven"
CFN_LINT: Mapping[str, str] = {
    "Resource type 'AWS::Events::ApiDestination' does not exist in 'us-gov-west-1'": _NOT_IN_GOVCLOUD,
    "AuthParameters' is approaching the limit of 2 properties": "the two that a connection may have",
    "Resource type 'AWS::Events::Connection' does not exist in 'us-gov-west-1'": _NOT_IN_GOVCLOUD,
}
"""A part of each finding that is accepted -> the reason."""
PARLIAMENT: Mapping[str, str] = {
    "PERMISSIONS_MANAGEMENT_ACTIONS:  {'actions': ['iam:passrole']}": (
        "StartAutomationExecution wants it; the statement names the roles of restartRoleArns and the service that they "
        "may be passed to"
    ),
    "PERMISSIONS_MANAGEMENT_ACTIONS:  {'actions': ['logs:putresourcepolicy']}": (
        "what AWS's page on logging of Step Functions demands of the workflow's role, on every resource"
    ),
}
STATELINT: Mapping[str, str] = {
    '"$$.Execution.Id" but should be a Reference Path': (
        "AWS's page on Choice states compares with the context object; docs/aws-facts.md has it among what is unproven"
    ),
}
ASL_VALIDATOR: Mapping[str, str] = {}


def compare(findings: Iterable[str], accepted: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The findings that nobody has accepted, and what was accepted and is not found: both should be empty."""
    findings = sorted(set(findings))
    unexpected = [finding for finding in findings if not any(part in finding for part in accepted)]
    outdated = [part for part in accepted if not any(part in finding for finding in findings)]
    return unexpected, outdated
