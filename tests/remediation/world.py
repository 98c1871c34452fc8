"""Everything together: the real definition with the real functions, in an account of their own and in virtual time."""

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
from tests.remediation.events import Happened, happened
from tests.remediation.invariants import Invariants
from tests.remediation.secrets_manager import PENDING, Secret, SecretsManager
from tests.remediation.services import Bus, Executions, Functions, Services, Ssm, Topics
from tests.remediation.states import NOT_RUN, RUNNING, Execution, StateMachine, TaskFailed
from tests.remediation.tables import Tables

PLACE = "eu-west-1:123456789012"
MACHINE = f"arn:aws:states:{PLACE}:stateMachine:remediation"
TABLE, NOTICES, CRITICAL = "incidents", f"arn:aws:sns:{PLACE}:remediation", f"arn:aws:sns:{PLACE}:critical"
PROBE = f"arn:aws:lambda:{PLACE}:function:probe"
SERVICE, DOCUMENT = f"arn:aws:ecs:{PLACE}:service/shop/orders", f"arn:aws:ssm:{PLACE}:document/restart-orders"
FUNCTION = f"arn:aws:lambda:{PLACE}:function:orders-api"
DEPENDENTS = "ecs:shop/orders ssm:restart-orders"
ASKED_SECONDS = 20
"""How long AWS takes, when time is let pass, until it goes on with a rotation that was asked for."""
LATE_SECONDS = 30
"""How late the state machine enters a state at most."""
MOST_STEPS = 20_000
TRIES = 3
"""How often Lambda runs a function for an event that fails (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html)."""

CONTEXT: Any = SimpleNamespace(
    aws_request_id="request",
    function_name="function",
    memory_limit_in_mb=256,
    invoked_function_arn=f"arn:aws:lambda:{PLACE}:function:function",
    get_remaining_time_in_millis=lambda: 30_000,
)


@dataclass(frozen=True)
class Settings:
    """The settings of a stack that matter here."""

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
        found = ["claim", "diagnose", "decide", "end", "notify"]
        found += ["retry"] if self.mode in ("retry", "repair") else []
        found += ["move"] if self.mode == "repair" else []
        found += ["probe"] if self.has_probe else []
        return found + (["restart", "watch"] if self.has_targets else [])

    def environment(self) -> dict[str, str]:
        """The environment of all functions together."""
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
            "REMEDIATION_TOPIC_ARN": NOTICES,
            "CRITICAL_TOPIC_ARN": CRITICAL,
            "RUNBOOK_URL": "https://example.com/runbook",
        }

    def definition(self) -> str:
        """The real definition."""
        return _definition(tuple(self.steps), self.restart_minutes)


@cache
def _definition(steps: tuple[str, ...], restart_minutes: int) -> str:
    functions = {step: f"arn:aws:lambda:{PLACE}:function:{step}" for step in steps}
    return Workflow("aws", functions, CRITICAL, TABLE, 45, 60, restart_minutes).definition()


class World:
    """Secrets, events, executions, and all that was done."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.clock = Clock()
        self.secrets_manager = SecretsManager(self.clock, self._happens)
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
            "stepfunctions": Executions(self._begin, self._known),
        }
        self.account = Account(self.clock, services)
        self.machine = StateMachine(self.settings.definition(), self.clock, self._task)
        self._handlers = {
            step: importlib.import_module(f"handlers.remediation.{step}").handler for step in self.settings.steps
        }
        self.bus.delivers = self._is_put
        self.executions: dict[str, Execution] = {}
        self._known_names: dict[str, Execution] = {}
        self._stepping: set[str] = set()
        self._planned = Plan()
        self.events: list[Happened] = []
        self._told_stuck: set[tuple[str, int]] = set()
        self.released: dict[str, datetime] = {}
        self.doomed: set[tuple[str, str]] = set()
        self.died_for_good: set[tuple[str, str]] = set()
        """Executions and kinds of steps that ran while they were doomed."""
        """Executions and their steps that die whenever they run."""
        self.throttled_until = self.clock.now
        """Until then Lambda runs no function of the workflow: others use up what the account may run at once."""
        self.event_log = EventLog(self)
        self.invariants = Invariants(self)

    @contextmanager
    def installed(self) -> Generator["World"]:
        """Has the product run in it."""
        with self.account.installed(self.settings.environment()):
            yield self

    def secret(self, name: str = "orders/db", tags: Mapping[str, str] | None = None, **more: Any) -> Secret:
        """A secret that may be repaired and has a probe, unless said otherwise."""
        arn = f"arn:aws:secretsmanager:{PLACE}:secret:{name}-Ab12Cd"
        opted_in = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}
        return self.secrets_manager.add(Secret(arn, dict(opted_in if tags is None else tags), **more))

    # --- events ---

    def _happens(self, arn: str, kind: str, **more: Any) -> None:
        self.events.append(happened(len(self.events), kind, arn, stamp(self.clock.now), **more))

    def find_stuck(self, arn: str) -> None:
        """The hourly audit finds a rotation that is stuck, and says so once a day, unless an incident is open."""
        secret = self.secrets_manager.secrets[arn]
        version = secret.labels.get(PENDING, "")
        if not secret.is_stuck:
            return
        days = (self.clock.now - secret.versions[version].created).days
        if (version, days) not in self._told_stuck and not self._is_open(secret):
            self._happens(arn, "Rotation Stuck", version=version, days=days)
        self._told_stuck.add((version, days))

    def audit(self) -> None:
        """The hourly audit looks for incidents that nobody goes on with."""
        unfinished = unfinished_incidents.UnfinishedIncidents(TABLE)
        with self._invocation(Plan(), Knowledge("audit", "")):
            stalled_incidents.report(unfinished, int(self.clock.now.timestamp()))

    def audit_until_finished(self) -> None:
        """Whatever hindered the steps is over; hours pass, and audits find what was left behind."""
        self.doomed.clear()
        for _ in range(5):
            if not any(arn == "unfinished" for arn, _ in self.tables.items.get(TABLE, {})):
                return
            self.clock.pass_by(3 * 3600)
            self.audit()
            self.run()

    def _is_put(self, entry: dict[str, Any]) -> None:
        if entry["DetailType"] == "Rotation Incident Stalled":
            self._happens(entry["Resources"][0], entry["DetailType"], detail=json.loads(entry["Detail"]))

    def test_rotation(self, arn: str) -> None:
        """Somebody changes how a secret is rotated, and AWS's test of that fails: nothing is rotated."""
        self._happens(arn, "TestRotationFailed", rotation=f"test-{len(self.events)}", step="testSecret")

    def release(self, secret: Secret) -> None:
        """Somebody releases a secret that was given up, as the command line does."""
        self.released[secret.arn] = self.clock.now
        standing = self.tables.items[TABLE][f"secret#{secret.arn}", "standing"]
        standing["released_at"] = {"S": stamp(self.clock.now)}

    def _is_open(self, secret: Secret) -> bool:
        return any(row["state"] == "open" for row in self.rows(secret))

    def deliver(self, event: Happened, plan: Plan | None = None) -> None:
        """EventBridge brings an event, once more perhaps; Lambda runs the function again when it dies."""
        plans = [plan or Plan(), *(Plan() for _ in range(TRIES - 1))]
        for each in plans:
            try:
                with self._invocation(each, Knowledge("start", "")):
                    start.handler(event.copy(), CONTEXT)
            except Crash:
                continue
            event.deliveries += 1
            return

    @property
    def waiting(self) -> list[Happened]:
        """Events that were not delivered yet, and are not lost."""
        return [event for event in self.events if not event.deliveries and not event.is_dropped]

    def forget_names(self) -> None:
        """Step Functions forgets the names of executions, as it does after 90 days."""
        self._known_names.clear()

    def _known(self, name: str) -> tuple[str, bool] | None:
        found = self._known_names.get(name)
        return (found.given, found.status == RUNNING) if found else None

    def _begin(self, name: str, given: str) -> None:
        arn = f"arn:aws:states:{PLACE}:execution:remediation:{name}"
        again = f"-{len(self.executions)}" if name in self.executions else ""
        self._known_names[name] = self.executions[name + again] = self.machine.begin(arn + again, given)

    # --- executions ---

    @property
    def running(self) -> list[Execution]:
        """Those that are neither over nor in the middle of a step, the one that is due first before the others."""
        return sorted(
            (
                execution
                for execution in self.executions.values()
                if execution.status == RUNNING and execution.name not in self._stepping
            ),
            key=lambda arn: (arn.due, arn.arn),
        )

    def step(self, execution: Execution, plan: Plan | None = None) -> None:
        """Enters the next state of an execution, when its time has come."""
        self.clock.until(execution.due)
        before = self._planned
        self._planned = plan or Plan()
        self._stepping.add(execution.name)
        try:
            self.machine.step(execution)
        finally:
            self._planned = before
            self._stepping.remove(execution.name)

    def invoke_again(self, execution: Execution, plan: Plan | None = None) -> None:
        """Runs the task that an execution is at to its end: one more invocation, whose answer is lost."""
        resource, payload = self.machine.payload(execution)
        self.event_log.repeated(execution, payload)
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
            self.died_for_good.add((execution.name, kind))
        planned = Plan(is_dead=True) if is_doomed else self._planned
        knowledge = self.event_log.enter(execution, kind, payload)
        try:
            with self._invocation(planned, knowledge):
                if ":::" in resource:
                    service = resource.split(":")[-2]
                    return self.account.call(service, xform_name(kind), payload)
                return json.loads(json.dumps(self._handlers[kind](json.loads(json.dumps(payload)), CONTEXT)))
        except Crash:
            self.event_log.died(knowledge)
            raise TaskFailed("Lambda.Unknown") from None
        except Exception as error:
            self.event_log.raised(knowledge, error)
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
        """Lets time pass: what falls due is done, and AWS goes on with what it was asked for."""
        end = self.clock.now + timedelta(seconds=seconds)
        while self.running and self.running[0].due + timedelta(seconds=LATE_SECONDS) < end:
            self.run_next()
        if seconds >= ASKED_SECONDS:
            self._go_on()
        self.clock.until(end)

    def run_next(self, plan: Plan | None = None) -> Execution:
        """Enters the state that is due first; AWS has gone on with rotations when that takes a while."""
        execution = self.running[0]
        if execution.due - self.clock.now >= timedelta(seconds=ASKED_SECONDS):
            self._go_on()
            execution = self.running[0]
        self.step(execution, plan)
        return execution

    def run(self, until: datetime | None = None) -> None:
        """Delivers every event as it happens, and runs every execution to its end, or until then."""
        for _ in range(MOST_STEPS):
            for event in self.waiting:
                self.deliver(event)
            if not self.running or (until and self.running[0].due > until):
                if until is None and any(secret.is_asked for secret in self.secrets_manager.secrets.values()):
                    self._go_on()
                    continue
                break
            self.run_next()
        else:
            raise AssertionError(f"executions do not end: {[each.trail[-9:] for each in self.running]}")
        if until:
            self.clock.until(until)

    def _go_on(self) -> None:
        for arn, secret in self.secrets_manager.secrets.items():
            if secret.is_asked:
                self.secrets_manager.go_on(arn)

    # --- what is written down ---

    def rows(self, secret: Secret | None = None) -> list[dict[str, Any]]:
        """Incidents, of this secret or of all, in the order of their opening; no other rows of the table."""
        stored = [from_item(item) for item in self.tables.items.get(TABLE, {}).values()]
        found = [each for each in stored if each["secret_arn"].startswith("arn:")]
        chosen = [each for each in found if secret is None or each["secret_arn"] == secret.arn]
        return sorted(chosen, key=lambda one: one["opened_at"])
