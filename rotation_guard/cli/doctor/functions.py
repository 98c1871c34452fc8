"""The functions: able to run, configured for this stack's resources, and called by what should call them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from .examination import Examination
from .layout import FUNCTIONS
from .link import REDEPLOY, TRY_AGAIN, Check, Finding, Part, Unanswered, broken, cannot_tell, note, unlisted
from .queues import EventQueue, find_event_queues
from .resource_policies import ALLOWED, UNKNOWN, Request, decide, parse
from .roles import EVENTS
from .rules import find_destination, find_rules_of

_ON_FAILURE = {
    "check": "failed_audits_dead_letters_url",
    "start": "unstarted_remediations_dead_letters_url",
    "report": "failed_reports_dead_letters_url",
    "redeliver": "failed_runs_dead_letters_url",
}
"""Functions that are called asynchronously -> the queue of the events that they fail for."""
DEPRECATIONS: Mapping[str, date] = {
    "python3.9": date(2025, 12, 15),
    "python3.10": date(2026, 10, 31),
    "python3.11": date(2027, 6, 30),
    "python3.12": date(2028, 10, 31),
    "python3.13": date(2029, 6, 30),
}
"""From when Lambda no longer patches a runtime (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html)."""


def list_checks(examination: Examination) -> Iterable[Check]:
    """One for each function, and one for what feeds each reader of a queue."""
    for queue in find_event_queues(examination):
        yield Check("queue", f"{queue.name} to {queue.reader}", (_reader(examination, queue),))
    try:
        names = examination.names("function_names")
    except Unanswered as unanswered:
        yield unlisted("function", "all functions", unanswered)
        return
    for short in [*names, *(short for short in FUNCTIONS[examination.kind] if short not in names)]:
        parts = [_configuration(examination, short), _concurrency(examination, short)]
        if short in _ON_FAILURE:
            parts.append(_on_failure(examination, short))
        if short == "start":
            parts.append(lambda: _check_admission(examination))
        yield Check("function", short, tuple(parts))


def judge_configuration(name: str, configuration: Mapping[str, Any] | None, today: date) -> Iterator[Finding]:
    """Whether a function can run. A function that was idle for long is Inactive, and starts at the next call.

    (https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html)
    """
    if configuration is None:
        yield broken(f"The function {name} does not exist.")
        return
    state, update = configuration.get("State", "Active"), configuration.get("LastUpdateStatus", "Successful")
    if state == "Failed":
        yield broken(f"The function {name} is Failed: {configuration.get('StateReason', 'no reason is given')}.")
    elif state == "Pending":
        yield cannot_tell(f"The function {name} is being created.", TRY_AGAIN)
    if update == "Failed":
        reason = configuration.get("LastUpdateStatusReason", "no reason is given")
        yield broken(f"The last update of the function {name} failed: {reason}.")
    elif update == "InProgress":
        yield cannot_tell(f"The function {name} is being updated.", TRY_AGAIN)
    runtime = str(configuration.get("Runtime"))
    ends = DEPRECATIONS.get(runtime)
    if ends and ends <= today:
        yield broken(
            f"The runtime {runtime} of the function {name} is deprecated since {ends}.",
            "Update rotation-guard, and run `pulumi up`.",
        )


def judge_environment(
    name: str, variables: Mapping[str, str], expected: Mapping[str, tuple[str, str]]
) -> Iterator[Finding]:
    """Whether a function uses this stack's resources: variable -> the output and its value."""
    for variable, (output, value) in expected.items():
        actual = variables.get(variable)
        if actual != value:
            yield broken(f"{variable} of the function {name} is {actual or 'missing'}, and {output} is {value}.")


def judge_concurrency(name: str, reserved: int | None) -> Iterator[Finding]:
    """Whether a function may run at all."""
    if reserved == 0:
        yield broken(
            f"The reserved concurrency of the function {name} is 0: Lambda runs it never.",
            f"Run `aws lambda delete-function-concurrency --function-name {name}`.",
        )


def judge_on_failure(name: str, configuration: Mapping[str, Any] | None, queue_arn: str) -> Iterator[Finding]:
    """Whether events that a function fails for go to a dead-letter queue."""
    destinations = (configuration or {}).get("DestinationConfig") or {}
    target = (destinations.get("OnFailure") or {}).get("Destination")
    if not target:
        yield broken(f"The function {name} has no destination on failure: events that it fails for are lost.")
    elif target != queue_arn:
        yield broken(f"Events that the function {name} fails for go to {target}, and not to {queue_arn}.")


def judge_admission(function_arn: str, policy: object, rules: Mapping[str, str], account: str) -> Iterator[Finding]:
    """Whether the policy of a function lets EventBridge invoke it for each of these rules."""
    statements = parse(policy or "")
    results = {
        short: decide(
            statements,
            Request(
                "lambda:InvokeFunction",
                function_arn,
                EVENTS,
                {"aws:sourcearn": rule, "aws:sourceaccount": account},
            ),
        )
        for short, rule in rules.items()
    }
    if refused := [short for short, result in results.items() if result not in (ALLOWED, UNKNOWN)]:
        yield broken(f"The policy of the function does not admit EventBridge for {', '.join(refused)}.", REDEPLOY)
    if unknown := [short for short, result in results.items() if result == UNKNOWN]:
        yield cannot_tell(
            f"The policy of the function has conditions that are not evaluated here, for {', '.join(unknown)}.",
            "Read the policy, or send a drill.",
        )


def judge_mappings(function: str, queue_arn: str, mappings: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Whether Lambda reads a queue for a function."""
    of_queue = [mapping for mapping in mappings if mapping.get("EventSourceArn") == queue_arn]
    if not of_queue:
        yield broken(f"Nothing makes the function {function} read {queue_arn}: events wait until they expire.")
    for mapping in of_queue:
        state, identifier = mapping.get("State"), mapping.get("UUID")
        if state in ("Creating", "Enabling", "Updating"):
            yield cannot_tell(f"The event source mapping {identifier} is {state}.", TRY_AGAIN)
        elif state != "Enabled":
            yield broken(
                f"The event source mapping {identifier} is {state}.",
                f"Run `aws lambda update-event-source-mapping --uuid {identifier} --enabled`.",
            )
        if mapping.get("FilterCriteria", {}).get("Filters"):
            yield broken(f"The event source mapping {identifier} has a filter, and deletes what it leaves out.")


def read_configuration(examination: Examination, short: str) -> Mapping[str, Any] | None:
    """The configuration of a function; None if it does not exist. Raises Unanswered."""
    return examination.read("lambda:GetFunctionConfiguration", FunctionName=find_name(examination, short))


def find_name(examination: Examination, short: str) -> str:
    """The name of a function. Raises Unanswered."""
    return examination.function_arn(short).rpartition(":")[2]


def _configuration(examination: Examination, short: str) -> Part:
    def check() -> Iterator[Finding]:
        name, configuration = find_name(examination, short), read_configuration(examination, short)
        yield from judge_configuration(name, configuration, examination.now.date())
        if configuration is None:
            return
        variables = (configuration.get("Environment") or {}).get("Variables") or {}
        outputs = examination.expected.environments.get(short, {})
        known = {variable: output for variable, output in outputs.items() if examination.has(output)}
        expected = {variable: (output, examination.output(output)) for variable, output in known.items()}
        yield from judge_environment(name, variables, expected)
        if mode := variables.get("REMEDIATION_MODE"):
            yield note(f"remediationMode is {mode}.")

    return check


def _concurrency(examination: Examination, short: str) -> Part:
    def check() -> Iterator[Finding]:
        name = find_name(examination, short)
        response = examination.read("lambda:GetFunctionConcurrency", FunctionName=name)
        yield from judge_concurrency(name, (response or {}).get("ReservedConcurrentExecutions"))

    return check


def _on_failure(examination: Examination, short: str) -> Part:
    def check() -> Iterator[Finding]:
        if read_configuration(examination, short) is None:
            return
        name, queue_arn = find_name(examination, short), examination.queue_arn(_ON_FAILURE[short])
        configuration = examination.read("lambda:GetFunctionEventInvokeConfig", FunctionName=name)
        yield from judge_on_failure(name, configuration, queue_arn)

    return check


def _check_admission(examination: Examination) -> Iterator[Finding]:
    if read_configuration(examination, "start") is None:
        return
    destination = find_destination(examination, "remediation")
    response = examination.read("lambda:GetPolicy", FunctionName=find_name(examination, "start"))
    rules = find_rules_of(examination, destination)
    yield from judge_admission(destination.arn, (response or {}).get("Policy"), rules, examination.account)


def _reader(examination: Examination, queue: EventQueue) -> Part:
    def check() -> Iterator[Finding]:
        name, queue_arn = find_name(examination, queue.reader), examination.queue_arn(queue.output)
        response = examination.read_existing("lambda:ListEventSourceMappings", FunctionName=name)
        yield from judge_mappings(name, queue_arn, response["EventSourceMappings"])

    return check
