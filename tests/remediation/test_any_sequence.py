"""Whatever fails, arrives, is done by hand or dies, in whatever order: no promise is broken, and everything ends."""

import logging
from contextlib import ExitStack
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from handlers.domain.rotation import STEPS
from tests.remediation.account import AFTER, BEFORE, Plan
from tests.remediation.secrets_manager import Fault, Secret
from tests.remediation.services import PROBES
from tests.remediation.states import Execution
from tests.remediation.world import DEPENDENTS, Settings, World

repeatable = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

NIGHT = {"start": "22:00", "end": "04:00"}
stacks = st.builds(
    Settings,
    mode=st.sampled_from(["repair", "repair", "repair", "retry", "notify"]),
    settle_minutes=st.sampled_from([15, 0]),
    max_retries=st.sampled_from([3, 1, 0]),
    max_actions_per_hour=st.sampled_from([10, 1, 2, 0]),
    breaker_threshold=st.sampled_from([3, 1]),
    change_window=st.sampled_from([{}, {}, NIGHT, {"start": "03:00", "end": "03:30"}]),
    has_probe=st.sampled_from([True, True, True, False]),
    has_targets=st.booleans(),
)
tags = st.fixed_dictionaries(
    {"rotation-guard:remediation": st.sampled_from(["repair", "repair", "repair", "retry", "notify", ""])},
    optional={
        "rotation-guard:probe": st.just("probe"),
        "rotation-guard:fallback": st.just("allowed"),
        "rotation-guard:restart": st.just(DEPENDENTS),
        "rotation-guard:restart-on": st.just("rotation"),
    },
)
foreign = st.sampled_from(
    [{}, {}, {}, {}, {"OwningService": "rds"}, {"PrimaryRegion": "us-east-1"}, {"Type": "Partner"}]
)
kinds = st.tuples(tags, st.sampled_from(["single", "alternating"]), foreign)
faults = st.builds(
    Fault,
    step=st.sampled_from(STEPS),
    after=st.booleans(),
    times=st.sampled_from([1, 2, 9]),
    is_named=st.sampled_from([True, True, False]),
)
whiches = st.integers(0, 3)
writes = st.tuples(st.integers(0, 3), st.sampled_from([AFTER, BEFORE]))


class AnySequence(RuleBasedStateMachine):
    """One world for each example."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.world = World()

    @initialize(stack=stacks, secrets=st.lists(kinds, min_size=1, max_size=2))
    def deploy(self, stack: Settings, secrets: list[Any]) -> None:
        # What they would say takes as long as what they do; the stories look at it.
        logging.disable(logging.INFO)
        self._stack.callback(logging.disable, logging.NOTSET)
        self.world = World(stack)
        self._stack.enter_context(self.world.installed())
        for number, (marks, users, more) in enumerate(secrets):
            self.world.secret(f"secret-{number}", marks, users=users, more=more)

    # --- AWS ---

    @rule(which=whiches, fault=faults)
    def breaks(self, which: int, fault: Fault) -> None:
        """A rotation begins, and fails."""
        secret = self._secret(which)
        secret.fault = Fault(fault.step, fault.after, fault.times, fault.is_named)
        self.world.secrets_manager.start_rotation(secret.arn)
        self.world.secrets_manager.go_on(secret.arn)

    @precondition(lambda self: any(one.rotation for one in self._secrets))
    @rule(which=whiches)
    def aws_goes_on(self, which: int) -> None:
        self.world.secrets_manager.go_on(self._secret(which).arn)

    @precondition(lambda self: any(one.is_stuck for one in self._secrets))
    @rule(which=whiches)
    def aws_gives_up(self, which: int) -> None:
        self.world.secrets_manager.abandon(self._secret(which).arn)

    @precondition(lambda self: any(one.fault for one in self._secrets))
    @rule(which=whiches)
    def is_mended(self, which: int) -> None:
        self._secret(which).fault = None

    # --- events ---

    @precondition(lambda self: self.world.events)
    @rule(which=st.integers(0, 9))
    def is_delivered(self, which: int) -> None:
        """The latest, an older one, or one that was delivered before."""
        self.world.deliver(self.world.events[-1 - which % len(self.world.events)])

    @precondition(lambda self: self.world.waiting)
    @rule(crash=st.none() | writes)
    def all_are_delivered(self, crash: Any) -> None:
        for event in self.world.waiting:
            self.world.deliver(event, Plan(crash=crash))

    @precondition(lambda self: self.world.waiting)
    @rule(which=whiches)
    def is_dropped(self, which: int) -> None:
        self.world.waiting[which % len(self.world.waiting)].is_dropped = True

    @precondition(lambda self: any(one.is_stuck for one in self._secrets))
    @rule(which=whiches)
    def is_found_stuck(self, which: int) -> None:
        self.world.find_stuck(self._secret(which).arn)

    # --- executions ---

    @precondition(lambda self: self.world.running)
    @rule(which=whiches)
    def takes_a_step(self, which: int) -> None:
        self.world.step(self._due(which))

    @precondition(lambda self: self.world.running)
    @rule(number=st.integers(1, 25))
    def take_steps(self, number: int) -> None:
        for _ in range(number):
            if self.world.running:
                self.world.run_next()

    @precondition(lambda self: self.world.running)
    @rule(which=whiches, crash=writes)
    def dies(self, which: int, crash: Any) -> None:
        self.world.step(self._due(which), Plan(crash=crash))

    @precondition(lambda self: self.world.running)
    @rule(number=st.integers(1, 20), crash=writes)
    def die_on_and_on(self, number: int, crash: Any) -> None:
        """Every step dies once on its way."""
        for _ in range(number):
            if self.world.running:
                execution = self.world.running[0]
                self.world.run_next(Plan(crash=crash) if not execution.tries else None)

    @precondition(lambda self: self.world.running)
    @rule(which=whiches, call=st.integers(0, 5), other=whiches, number=st.integers(1, 6))
    def is_overtaken(self, which: int, call: int, other: int, number: int) -> None:
        """In the middle of a step others take some of theirs."""

        def overtake() -> None:
            for _ in range(number):
                if self.world.running:
                    self.world.step(self._due(other))

        self.world.step(self._due(which), Plan(meanwhile={call: overtake}))

    @precondition(lambda self: self.world.running)
    @rule(which=whiches, call=st.integers(0, 5), to=whiches)
    def is_moved_meanwhile(self, which: int, call: int, to: int) -> None:
        """In the middle of a step somebody moves the label of its secret, or AWS does."""
        execution = self._due(which)
        secret = self._secret_of(execution)
        versions = list(secret.labels.values())

        def move() -> None:
            if to:
                self.world.secrets_manager.move_by_hand(secret.arn, versions[to % len(versions)])
            else:
                self.world.secrets_manager.go_on(secret.arn)

        self.world.step(execution, Plan(meanwhile={call: move}))

    @precondition(lambda self: self.world.running)
    @rule(which=whiches, step=st.sampled_from([*Settings().steps, "publish"]))
    def dies_for_good(self, which: int, step: str) -> None:
        self.world.doomed.add((self._due(which).name, step))

    @rule(seconds=st.sampled_from([1, 30, 300, 1200, 3600, 9000, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    # --- people ---

    @rule(which=whiches, to=whiches)
    def is_moved_by_hand(self, which: int, to: int) -> None:
        secret = self._secret(which)
        versions = list(secret.labels.values())
        self.world.secrets_manager.move_by_hand(secret.arn, versions[to % len(versions)])

    @rule(which=whiches, for_good=st.booleans())
    def is_deleted(self, which: int, for_good: bool) -> None:
        secret = self._secret(which)
        secret.deleted_at, secret.is_gone = self.world.clock.now, for_good

    @precondition(lambda self: any(one.deleted_at for one in self._secrets))
    @rule(which=whiches)
    def is_restored(self, which: int) -> None:
        self._secret(which).deleted_at = None

    @rule(which=whiches, tag=st.sampled_from(["", "retry", "repair"]))
    def is_tagged(self, which: int, tag: str) -> None:
        self._secret(which).tags["rotation-guard:remediation"] = tag

    @rule(value=st.sampled_from(["stop", "go"]))
    def switch_is_flipped(self, value: str) -> None:
        self.world.ssm.switch = value

    @rule(manner=st.sampled_from(PROBES))
    def probe_becomes(self, manner: str) -> None:
        self.world.functions.manner = manner

    @rule(is_well=st.sampled_from([True, False, None]))
    def restarts_become(self, is_well: bool | None) -> None:
        self.world.ssm.ends = {True: "Success", False: "Failed", None: "InProgress"}[is_well]
        self.world.services.ends = {True: "COMPLETED", False: "FAILED", None: "IN_PROGRESS"}[is_well]

    # --- promises ---

    @invariant()
    def promises_are_kept(self) -> None:
        self.world.promises.always()

    def teardown(self) -> None:
        try:
            self.world.run()
            self.world.promises.at_the_end()
            self._replay()
        finally:
            self._stack.close()

    def _replay(self) -> None:
        """Whatever was delivered comes once more, in its order: none of it, and so no prefix of it, changes a thing."""
        world = self.world
        with world.promises.nothing_changes():
            for event in [one for one in world.events if one.deliveries]:
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

    def _due(self, which: int) -> Execution:
        """One of those whose time has come, or else the one whose time comes first."""
        running = self.world.running
        due = [one for one in running if one.due <= self.world.clock.now]
        return due[which % len(due)] if due else running[0]


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = repeatable
