"""The real state machine definition and functions, in an account in memory and in virtual time."""

import importlib
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any

from botocore import xform_name

from components.remediation.workflow import Workflow
from handlers.adapters import unfinished_incidents
from handlers.adapters.items import from_item
from handlers.remediation import stalled_incidents, start
from tests.function_environment import DEFAULTS
from tests.remediation.account import Account, Crash, Plan
from tests.remediation.clock import Clock, stamp
from tests.remediation.event_log import EventLog, Knowledge
from tests.remediation.events import Event, build_event
from tests.remediation.invariants import Invariants
from tests.remediation.secrets_manager import PENDING, Secret, SecretsManager
from tests.remediation.services import Bus, Executions, Functions, Services, Ssm, Topics
from tests.remediation.states import NOT_RUN, RUNNING, Execution, StateMachine, TaskFailed
from tests.remediation.tables import Tables

ARN_SCOPE = "eu-west-1:123456789012"
MACHINE = f"arn:aws:states:{ARN_SCOPE}:stateMachine:remediation"
TABLE, NOTIFICATIONS, CRITICAL = (
    "incidents",
    f"arn:aws:sns:{ARN_SCOPE}:remediation",
    f"arn:aws:sns:{ARN_SCOPE}:critical",
)
PROBE = f"arn:aws:lambda:{ARN_SCOPE}:function:probe"
SERVICE, DOCUMENT = f"arn:aws:ecs:{ARN_SCOPE}:service/shop/orders", f"arn:aws:ssm:{ARN_SCOPE}:document/restart-orders"
FUNCTION = f"arn:aws:lambda:{ARN_SCOPE}:function:orders-api"
DEPENDENTS = "ecs:shop/orders ssm:restart-orders"
ROTATION_DELAY_SECONDS = 20
"""How long AWS takes to start or continue a requested rotation."""
MAX_DELAY_SECONDS = 30
"""How late the state machine may enter a state."""
MAX_STEPS = 20_000
ATTEMPTS = 3
"""How often Lambda runs a function for an event whose processing fails (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html)."""

CONTEXT: Any = SimpleNamespace(
    aws_request_id="request",
    function_name="function",
    memory_limit_in_mb=256,
    invoked_function_arn=f"arn:aws:lambda:{ARN_SCOPE}:function:function",
    get_remaining_time_in_millis=lambda: 30_000,
)


@dataclass(frozen=True)
class Settings:
    """The settings of a stack that matter to remediation."""

    mode: str = "repair"
    settle_minutes: int = 15
    max_retries: int = 3
    max_actions_per_hour: int = 10
    breaker_threshold: int = 3
    change_window: Mapping[str, Any] = field(default_factory=dict)
    has_probe: bool = True
    has_targets: bool = True
    restart_minutes: int = 30

    @property
    def steps(self) -> list[str]:
        """The steps that have a function with these settings."""
        steps = ["claim", "diagnose", "decide", "end", "notify"]
        steps += ["retry"] if self.mode in ("retry", "repair") else []
        steps += ["move"] if self.mode == "repair" else []
        steps += ["probe"] if self.has_probe else []
        return steps + (["restart", "watch"] if self.has_targets else [])

    def environment(self) -> dict[str, str]:
        """The environment variables of all functions."""
        return {
            **DEFAULTS,
            "STATE_MACHINE_ARN": MACHINE,
            "INCIDENTS_TABLE_NAME": TABLE,
            "SETTLE_MINUTES": str(self.settle_minutes),
            "RESTART_TARGETS": json.dumps([SERVICE, DOCUMENT, FUNCTION] if self.has_targets else []),
            "REMEDIATION_MODE": self.mode,
            "PROBE_FUNCTIONS": json.dumps([PROBE] if self.has_probe else []),
            "KILL_SWITCH_PARAMETER_NAME": "/rotation-guard/kill-switch",
            "MAX_RETRIES": str(self.max_retries),
            "BREAKER_THRESHOLD": str(self.breaker_threshold),
            "MAX_ACTIONS_PER_HOUR": str(self.max_actions_per_hour),
            "CHANGE_WINDOW": json.dumps(dict(self.change_window)),
            "REMEDIATION_TOPIC_ARN": NOTIFICATIONS,
            "CRITICAL_TOPIC_ARN": CRITICAL,
            "RUNBOOK_URL": "https://example.com/runbook",
        }

    def definition(self) -> str:
        """The real definition."""
        return _definition(tuple(self.steps), self.restart_minutes)


@cache
def _definition(steps: tuple[str, ...], restart_minutes: int) -> str:
    functions = {step: f"arn:aws:lambda:{ARN_SCOPE}:function:{step}" for step in steps}
    return Workflow("aws", functions, CRITICAL, TABLE, 45, 60, restart_minutes).definition()


class World:
    """Secrets, events, executions, and the log of what the product did."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.clock = Clock()
        self.secrets_manager = SecretsManager(self.clock, self.emit)
        self.tables, self.topics, self.bus, self.ssm = Tables(), Topics(), Bus(), Ssm()
        self.functions, self.services = Functions(self.secrets_manager, self.clock), Services(self.clock)
        services = {
            "dynamodb": self.tables,
            "secretsmanager": self.secrets_manager,
            "sns": self.topics,
            "events": self.bus,
            "ssm": self.ssm,
            "lambda": self.functions,
            "ecs": self.services,
            "stepfunctions": Executions(self._start_execution, self._find_execution),
        }
        self.account = Account(self.clock, services)
        self.machine = StateMachine(self.settings.definition(), self.clock, self._task)
        self._handlers = {
            step: importlib.import_module(f"handlers.remediation.{step}").handler for step in self.settings.steps
        }
        self.bus.on_put = self._deliver_own_event
        self.executions: dict[str, Execution] = {}
        self._executions_by_name: dict[str, Execution] = {}
        self._stepping: set[str] = set()
        self._planned = Plan()
        self.events: list[Event] = []
        self._reported_stuck: set[tuple[str, int]] = set()
        self.released: dict[str, datetime] = {}
        self.doomed: set[tuple[str, str]] = set()
        """Steps of executions that crash whenever they run."""
        self.ran_while_doomed: set[tuple[str, str]] = set()
        """Steps of executions that ran while they were doomed."""
        self.throttled_until = self.clock.now
        """Until then Lambda throttles all functions of the workflow: others use up the account's concurrency."""
        self.event_log = EventLog(self)
        self.invariants = Invariants(self)

    @contextmanager
    def installed(self) -> Generator["World"]:
        """Makes the product run in this world."""
        with self.account.installed(self.settings.environment()):
            yield self

    def secret(self, name: str = "orders/db", tags: Mapping[str, str] | None = None, **more: Any) -> Secret:
        """Adds a secret; without `tags` it opts in to repairs and has a probe."""
        arn = f"arn:aws:secretsmanager:{ARN_SCOPE}:secret:{name}-Ab12Cd"
        opted_in = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}
        return self.secrets_manager.add(Secret(arn, dict(opted_in if tags is None else tags), **more))

    # --- events ---

    def emit(self, arn: str, kind: str, **more: Any) -> None:
        self.events.append(build_event(len(self.events), kind, arn, stamp(self.clock.now), **more))

    def find_stuck(self, arn: str) -> None:
        """The hourly audit finds a stuck rotation, and reports it once a day, unless an incident is open."""
        secret = self.secrets_manager.secrets[arn]
        version = secret.labels.get(PENDING, "")
        if not secret.is_stuck:
            return
        days = (self.clock.now - secret.versions[version].created).days
        if (version, days) not in self._reported_stuck and not self._is_open(secret):
            self.emit(arn, "Rotation Stuck", version=version, days=days)
        self._reported_stuck.add((version, days))

    def audit(self) -> None:
        """The hourly audit looks for stalled incidents."""
        unfinished = unfinished_incidents.UnfinishedIncidents(TABLE)
        with self._invocation(Plan(), Knowledge("audit", "")):
            stalled_incidents.report(unfinished, int(self.clock.now.timestamp()))

    def audit_until_finished(self) -> None:
        """Ends all faults; hours pass, and audits find the incidents that were left unfinished."""
        self.doomed.clear()
        for _ in range(5):
            if not any(arn == "unfinished" for arn, _ in self.tables.items.get(TABLE, {})):
                return
            self.clock.advance(3 * 3600)
            self.audit()
            self.run()

    def _deliver_own_event(self, entry: dict[str, Any]) -> None:
        if entry["DetailType"] == "Rotation Incident Stalled":
            self.emit(entry["Resources"][0], entry["DetailType"], detail=json.loads(entry["Detail"]))

    def test_rotation(self, arn: str) -> None:
        """An operator changes the rotation settings, and AWS's test of them fails: nothing is rotated."""
        self.emit(arn, "TestRotationFailed", rotation=f"test-{len(self.events)}", step="testSecret")

    def release(self, secret: Secret) -> None:
        """An operator releases a suspended secret, as the command line does."""
        self.released[secret.arn] = self.clock.now
        remediation_state = self.tables.items[TABLE][f"secret#{secret.arn}", "standing"]
        remediation_state["released_at"] = {"S": stamp(self.clock.now)}

    def _is_open(self, secret: Secret) -> bool:
        return any(row["state"] == "open" for row in self.rows(secret))

    def deliver(self, event: Event, plan: Plan | None = None) -> None:
        """EventBridge delivers an event, perhaps again; Lambda retries the function when it crashes."""
        plans = [plan or Plan(), *(Plan() for _ in range(ATTEMPTS - 1))]
        for attempt in plans:
            try:
                with self._invocation(attempt, Knowledge("start", "")):
                    start.handler(event.copy(), CONTEXT)
            except Crash:
                continue
            event.deliveries += 1
            return

    @property
    def undelivered(self) -> list[Event]:
        """Events that were neither delivered nor lost."""
        return [event for event in self.events if not event.deliveries and not event.is_dropped]

    def forget_execution_names(self) -> None:
        """Step Functions forgets the names of executions, as it does after 90 days."""
        self._executions_by_name.clear()

    def _find_execution(self, name: str) -> tuple[str, bool] | None:
        execution = self._executions_by_name.get(name)
        return (execution.input, execution.status == RUNNING) if execution else None

    def _start_execution(self, name: str, input_text: str) -> None:
        arn = f"arn:aws:states:{ARN_SCOPE}:execution:remediation:{name}"
        suffix = f"-{len(self.executions)}" if name in self.executions else ""
        self._executions_by_name[name] = self.executions[name + suffix] = self.machine.start(arn + suffix, input_text)

    # --- executions ---

    @property
    def running(self) -> list[Execution]:
        """Executions that have not ended and are not in the middle of a step, by due time."""
        return sorted(
            (
                execution
                for execution in self.executions.values()
                if execution.status == RUNNING and execution.name not in self._stepping
            ),
            key=lambda execution: (execution.due, execution.arn),
        )

    def step(self, execution: Execution, plan: Plan | None = None) -> None:
        """Advances to the due time of an execution, and runs its current state."""
        self.clock.advance_to(execution.due)
        before = self._planned
        self._planned = plan or Plan()
        self._stepping.add(execution.name)
        try:
            self.machine.step(execution)
        finally:
            self._planned = before
            self._stepping.remove(execution.name)

    def invoke_again(self, execution: Execution, plan: Plan | None = None) -> None:
        """Invokes the current task once more; the response is lost."""
        resource, payload = self.machine.payload(execution)
        self.event_log.record_repeat(execution, payload)
        before = self._planned
        self._planned = plan or Plan()
        try:
            self._task(resource, payload, execution)
        except TaskFailed:
            return
        finally:
            self._planned = before

    def _task(self, resource: str, payload: Any, execution: Execution) -> Any:
        kind = resource.rpartition(":")[2]
        if kind in self._handlers and self.clock.now < self.throttled_until:
            raise TaskFailed(NOT_RUN)
        is_doomed = (execution.name, kind) in self.doomed
        if is_doomed:
            self.ran_while_doomed.add((execution.name, kind))
        planned = Plan(is_dead=True) if is_doomed else self._planned
        knowledge = self.event_log.enter(execution, kind, payload)
        try:
            with self._invocation(planned, knowledge):
                if ":::" in resource:
                    service = resource.split(":")[-2]
                    return self.account.call(service, xform_name(kind), payload)
                return json.loads(json.dumps(self._handlers[kind](json.loads(json.dumps(payload)), CONTEXT)))
        except Crash:
            self.event_log.record_failure(knowledge)
            raise TaskFailed("Lambda.Unknown") from None
        except Exception as error:
            self.event_log.record_error(knowledge, error)
            raise TaskFailed(type(error).__name__) from error

    @contextmanager
    def _invocation(self, plan: Plan, knowledge: Knowledge) -> Generator[None]:
        before = self.account.plan, self.event_log.actor
        self.account.plan, self.event_log.actor = plan, knowledge
        try:
            yield
        finally:
            self.account.plan, self.event_log.actor = before

    # --- time ---

    def pass_time(self, seconds: float) -> None:
        """Advances the time: runs what falls due, and AWS continues requested rotations."""
        end = self.clock.now + timedelta(seconds=seconds)
        while self.running and self.running[0].due + timedelta(seconds=MAX_DELAY_SECONDS) < end:
            self.run_next()
        if seconds >= ROTATION_DELAY_SECONDS:
            self._continue_rotations()
        self.clock.advance_to(end)

    def run_next(self, plan: Plan | None = None) -> Execution:
        """Runs the state that is due first; if that is later, AWS continues requested rotations before it."""
        execution = self.running[0]
        if execution.due - self.clock.now >= timedelta(seconds=ROTATION_DELAY_SECONDS):
            self._continue_rotations()
            execution = self.running[0]
        self.step(execution, plan)
        return execution

    def run(self, until: datetime | None = None) -> None:
        """Delivers every event at once, and runs every execution to its end, or until this time."""
        for _ in range(MAX_STEPS):
            for event in self.undelivered:
                self.deliver(event)
            if not self.running or (until and self.running[0].due > until):
                if until is None and any(secret.is_requested for secret in self.secrets_manager.secrets.values()):
                    self._continue_rotations()
                    continue
                break
            self.run_next()
        else:
            raise AssertionError(f"executions do not end: {[execution.trail[-9:] for execution in self.running]}")
        if until:
            self.clock.advance_to(until)

    def _continue_rotations(self) -> None:
        for arn, secret in self.secrets_manager.secrets.items():
            if secret.is_requested:
                self.secrets_manager.continue_rotation(arn)

    # --- stored rows ---

    def rows(self, secret: Secret | None = None) -> list[dict[str, Any]]:
        """The incidents of this secret or of all, in the order of their opening."""
        stored = [from_item(item) for item in self.tables.items.get(TABLE, {}).values()]
        incidents = [row for row in stored if row["secret_arn"].startswith("arn:")]
        chosen = [row for row in incidents if secret is None or row["secret_arn"] == secret.arn]
        return sorted(chosen, key=lambda row: row["opened_at"])
