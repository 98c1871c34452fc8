"""Failures, events, operators' actions and crashes in any order: the invariants hold, and every incident ends."""

import logging
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.remediation.account import AFTER, BEFORE, Plan
from tests.remediation.secrets_manager import CREATE, FINISH, PREVIOUS, SET, TEST, Fault, Secret
from tests.remediation.services import PROBE_BEHAVIORS
from tests.remediation.states import Execution
from tests.remediation.world import DEPENDENTS, Settings, World

repeatable = settings(
    max_examples=80,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

NIGHTLY_WINDOW, SHORT_WINDOW = {"start": "22:00", "end": "04:00"}, {"start": "03:00", "end": "03:30"}


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """The usual value, and sometimes another."""
    return st.sampled_from([usual] * 6 * len(others) + list(others))


stacks = st.builds(
    Settings,
    mode=st.sampled_from(["repair"] * 6 + ["retry", "notify"]),
    settle_minutes=st.sampled_from([15, 0]),
    max_retries=st.sampled_from([3, 1, 0]),
    max_actions_per_hour=st.sampled_from([10, 10, 10, 1, 0]),
    breaker_threshold=st.sampled_from([3, 1]),
    change_window=mostly({}, NIGHTLY_WINDOW, SHORT_WINDOW),
    has_probe=mostly(True, False),
    has_targets=mostly(True, False),
)
tags = st.fixed_dictionaries(
    {
        "rotation-guard:remediation": mostly("repair", "retry", "notify", ""),
        "rotation-guard:probe": mostly("probe", ""),
        "rotation-guard:fallback": st.sampled_from(["allowed", ""]),
        "rotation-guard:restart": st.sampled_from([DEPENDENTS, DEPENDENTS, ""]),
        "rotation-guard:restart-on": st.sampled_from(["rotation", ""]),
    }
)
foreign_owners = mostly({}, {"OwningService": "rds"}, {"PrimaryRegion": "us-east-1"}, {"Type": "Partner"})
secret_settings = st.tuples(tags, mostly("single", "alternating"), foreign_owners)
faults = st.builds(
    lambda step_and_after, times, is_named: Fault(*step_and_after, times, is_named),
    st.sampled_from([(SET, True), (TEST, False), (FINISH, False), (CREATE, False), (SET, False), (FINISH, True)]),
    st.sampled_from([9, 2, 1]),
    mostly(True, False),
)
INTERVENTIONS = (*["reset"] * 8, "stop", "go", "", "retry", "repair", "deleted", "restored", "gone")
indexes = st.integers(0, 3)
writes = st.tuples(st.integers(0, 3), st.sampled_from([AFTER, BEFORE]))


repairing_stacks = st.builds(
    Settings,
    settle_minutes=st.just(0),
    max_retries=st.sampled_from([3, 1, 0]),
    max_actions_per_hour=st.sampled_from([10, 10, 1]),
    breaker_threshold=st.sampled_from([1, 3]),
    change_window=mostly({}, NIGHTLY_WINDOW),
)
opted_in = st.fixed_dictionaries(
    {
        "rotation-guard:remediation": st.just("repair"),
        "rotation-guard:probe": st.just("probe"),
        "rotation-guard:fallback": st.sampled_from(["allowed", ""]),
        "rotation-guard:restart": st.just(DEPENDENTS),
    }
)


class AnySequence(RuleBasedStateMachine):
    """One world for each example."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.world = World()

    @initialize(stack=stacks, secrets=st.lists(secret_settings, min_size=1, max_size=2))
    def deploy(self, stack: Settings, secrets: list[Any]) -> None:
        self.set_up(stack, secrets)

    def set_up(self, stack: Settings, secrets: list[Any]) -> None:
        # Logging takes as long as all else; the scenario tests check the logs.
        logging.disable(logging.INFO)
        self._stack.callback(logging.disable, logging.NOTSET)
        self.world = World(stack)
        self._stack.enter_context(self.world.installed())
        for number, (tags_of_secret, rotation_strategy, more) in enumerate(secrets):
            self.world.secret(f"secret-{number}", tags_of_secret, rotation_strategy=rotation_strategy, more=more)

    # --- AWS ---

    @rule(which=indexes, fault=faults, is_delivered=st.booleans())
    def fail_rotation(self, which: int, fault: Fault, is_delivered: bool) -> None:
        """A rotation is started or retried, and fails."""
        secret = self._secret(which)
        secret.fault = Fault(fault.step, fault.after, fault.times, fault.is_named)
        self.world.secrets_manager.start_rotation(secret.arn)
        self.world.secrets_manager.continue_rotation(secret.arn)
        if is_delivered:
            self._deliver_all()

    @precondition(lambda self: any(secret.rotation for secret in self._secrets))
    @rule(which=indexes, is_fixed=st.booleans())
    def retry_rotation(self, which: int, is_fixed: bool) -> None:
        """AWS retries by itself or on request."""
        secret = next(secret for secret in (self._secret(which), *self._secrets) if secret.rotation)
        if is_fixed:
            secret.fault = None
        self.world.secrets_manager.continue_rotation(secret.arn)

    @precondition(lambda self: any(secret.is_stuck for secret in self._secrets))
    @rule(which=indexes, how=st.sampled_from(["reported", "abandoned", "reported", "abandoned", "tested"]))
    def end_stuck_rotation(self, which: int, how: str) -> None:
        """The audit finds a stuck rotation, or AWS abandons it, or a test of its settings fails."""
        secret = next(secret for secret in (self._secret(which), *self._secrets) if secret.is_stuck)
        if how == "reported":
            self.world.find_stuck(secret.arn)
        elif how == "abandoned":
            self.world.secrets_manager.abandon(secret.arn)
        else:
            self.world.test_rotation(secret.arn)

    # --- events ---

    @precondition(lambda self: self.world.events)
    @rule(which=st.integers(0, 9))
    def deliver_event(self, which: int) -> None:
        """The latest, an older one, or one that was delivered before."""
        self.world.deliver(self.world.events[-1 - which % len(self.world.events)])

    @precondition(lambda self: self.world.undelivered)
    @rule(crash=st.none() | writes)
    def deliver_all_events(self, crash: Any) -> None:
        self._deliver_all(crash)

    def _deliver_all(self, crash: Any = None) -> None:
        for event in self.world.undelivered:
            self.world.deliver(event, Plan(crash=crash))

    @precondition(lambda self: self.world.undelivered)
    @rule(which=indexes)
    def lose_event(self, which: int) -> None:
        self.world.undelivered[which % len(self.world.undelivered)].is_dropped = True

    # --- executions ---

    @precondition(lambda self: self.world.running)
    @rule(which=indexes)
    def run_one_state(self, which: int) -> None:
        self.world.step(self._pick_due(which))

    @precondition(lambda self: self.world.running)
    @rule(number=st.integers(1, 30))
    def run_states(self, number: int) -> None:
        for _ in range(number):
            if self.world.running:
                self.world.run_next()

    @precondition(lambda self: self.world.running or self.world.undelivered)
    @rule()
    def run_to_the_end(self) -> None:
        self.world.run()

    @precondition(lambda self: self.world.running)
    @rule(which=indexes, crash=writes)
    def crash_in_one_state(self, which: int, crash: Any) -> None:
        self.world.step(self._pick_due(which), Plan(crash=crash))

    @precondition(lambda self: self.world.running)
    @rule(number=st.integers(1, 30), crash=writes)
    def crash_in_every_state(self, number: int, crash: Any) -> None:
        """Every step crashes once."""
        for _ in range(number):
            if self.world.running:
                is_first = not self.world.running[0].tries
                self.world.run_next(Plan(crash=crash) if is_first else None)

    @rule(minutes=st.sampled_from([3, 12, 45, 180]))
    def throttle_lambda(self, minutes: int) -> None:
        """Others use up the account's concurrency."""
        self.world.throttled_until = self.world.clock.now + timedelta(minutes=minutes)

    @precondition(lambda self: self.world.running)
    @rule(which=indexes, call=st.integers(0, 5), other=indexes, number=st.integers(1, 12))
    def interleave_executions(self, which: int, call: int, other: int, number: int) -> None:
        """Other executions run some steps in the middle of a step."""

        def run_others() -> None:
            for _ in range(number):
                if self.world.running:
                    self.world.step(self._pick_due(other))

        self.world.step(self._pick_due(which), Plan(meanwhile={call: run_others}))

    @precondition(lambda self: self.world.running)
    @rule(number=st.integers(1, 12), call=st.integers(0, 5), to=indexes)
    def move_label_during_states(self, number: int, call: int, to: int) -> None:
        """In the middle of each step, an operator or AWS moves a label of the secret."""
        for _ in range(number):
            if self.world.running:
                secret = self._secret_of(self.world.running[0])
                self.world.run_next(Plan(meanwhile={call: partial(self._move, secret, to)}))

    def _move(self, secret: Secret, to: int) -> None:
        if to:
            versions = list(secret.labels.values())
            self.world.secrets_manager.move_by_hand(secret.arn, versions[to % len(versions)])
        else:
            self.world.secrets_manager.continue_rotation(secret.arn)

    @rule(seconds=st.sampled_from([1, 30, 300, 1200, 3600, 9000, 40_000]))
    def pass_time(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    # --- operators ---

    @rule(which=indexes, to=st.integers(1, 3))
    def move_label_by_hand(self, which: int, to: int) -> None:
        self._move(self._secret(which), to)

    @rule(probe_behavior=mostly("correct", *PROBE_BEHAVIORS), succeeds=mostly(True, False, None))
    def change_probe_and_restarts(self, probe_behavior: str, succeeds: bool | None) -> None:
        """Changes how the probe responds, and how restarts end."""
        self.world.functions.probe_behavior = probe_behavior
        self.world.ssm.ends = {True: "Success", False: "Failed", None: "InProgress"}[succeeds]
        self.world.services.ends = {True: "COMPLETED", False: "FAILED", None: "IN_PROGRESS"}[succeeds]

    @rule(which=indexes, intervention=st.sampled_from(INTERVENTIONS))
    def intervene(self, which: int, intervention: str) -> None:
        """An operator restores the old password, deletes a secret, changes its tags, or sets the kill switch."""
        secret = self._secret(which)
        if intervention == "reset":
            old = secret.versions[secret.labels[PREVIOUS]]
            secret.live[old.user] = old.password
        elif intervention in ("stop", "go"):
            self.world.ssm.switch = intervention
        elif intervention in ("", "retry", "repair"):
            secret.tags["rotation-guard:remediation"] = intervention
        else:
            secret.deleted_at = None if intervention == "restored" else self.world.clock.now
            secret.is_gone = secret.is_gone or intervention == "gone"

    @precondition(lambda self: self.world.running)
    @rule(which=indexes, step=st.sampled_from([*Settings().steps, "publish"]))
    def doom_step(self, which: int, step: str) -> None:
        """A step of an execution crashes whenever it runs."""
        self.world.doomed.add((self._pick_due(which).name, step))

    @precondition(lambda self: self.world.running)
    @rule(which=indexes)
    def abort_execution(self, which: int) -> None:
        """An operator aborts an execution in the console."""
        self.world.machine.abort(self._pick_due(which))

    @precondition(lambda self: self._executions_at_a_function)
    @rule(which=indexes, call=st.integers(0, 8), number=st.integers(1, 3))
    def invoke_twice(self, which: int, call: int, number: int) -> None:
        """An invocation is slow or its response is lost, so Step Functions invokes the step again."""
        at_task = self._executions_at_a_function
        execution = at_task[which % len(at_task)]

        def invoke_again() -> None:
            for _ in range(number):
                self.world.invoke_again(execution)

        self.world.step(execution, Plan(meanwhile={call: invoke_again}))

    @property
    def _executions_at_a_function(self) -> list[Execution]:
        """Executions whose current state runs a function."""
        machine, running = self.world.machine, self.world.running
        tasks = [execution for execution in running if machine.states[execution.state]["Type"] == "Task"]
        return [task for task in tasks if ":function:" in machine.states[task.state]["Resource"]]

    @rule()
    def audit(self) -> None:
        """The hourly audit looks for stalled incidents."""
        self.world.audit()

    # --- invariants ---

    @invariant()
    def invariants_hold(self) -> None:
        self.world.invariants.check()

    def teardown(self) -> None:
        try:
            self.world.run()
            self.world.invariants.check_at_end()
            self._replay()
        finally:
            self._stack.close()

    def _replay(self) -> None:
        """Delivers all events again, in their order: none of them changes anything."""
        world = self.world
        world.throttled_until = world.clock.now
        delivered = [event for event in world.events if event.deliveries]
        with world.invariants.expect_no_change():
            for event in delivered:
                world.deliver(event)
            world.run()
        # Nor do failures of the latest incidents when even the names of the executions are forgotten.
        world.forget_execution_names()
        latest = {row["secret_arn"]: row for row in world.rows()}
        closed = [row for row in latest.values() if row["failures"] and row["state"] == "closed"]
        event_ids = {identity for row in closed for identity in row["event_ids"]}
        with world.invariants.expect_no_change():
            for event in [event for event in delivered if event.is_failure and event.identity in event_ids]:
                world.deliver(event)
            world.run()

    @property
    def _secrets(self) -> list[Secret]:
        return list(self.world.secrets_manager.secrets.values())

    def _secret(self, which: int) -> Secret:
        return self._secrets[which % len(self._secrets)]

    def _secret_of(self, execution: Execution) -> Secret:
        arn = execution.data["heard"]["secret_arn"]
        return self.world.secrets_manager.secrets[arn]

    def _pick_due(self, which: int) -> Execution:
        """One of the executions that are due, or else the one that is due first."""
        running = self.world.running
        due = [execution for execution in running if execution.due <= self.world.clock.now]
        return due[which % len(due)] if due else running[0]


class AnyRepair(AnySequence):
    """The same with settings that allow nearly every repair."""

    @initialize(
        stack=repairing_stacks,
        secrets=st.lists(st.tuples(opted_in, mostly("single", "alternating")), min_size=1, max_size=2),
    )
    def deploy(self, stack: Settings, secrets: list[Any]) -> None:
        self.set_up(stack, [(*secret, {}) for secret in secrets])


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = repeatable
TestAnyRepair = AnyRepair.TestCase
TestAnyRepair.settings = repeatable
