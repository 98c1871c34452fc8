"""Alarms of one component: metric alarms that are silent by themselves, and composite alarms that page. For inside use.

A metric alarm does not page, since one cause raises several of them. Each belongs to its subject's composite alarm,
which goes into ALARM with the first and back with the last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_aws import cloudwatch

from rotation_guard.domain.metrics import LONGEST_ALARM_SECONDS, NAMESPACE, MetricName

from ..function import WatchedFunctionArgs
from ..queue import DAY
from ..release import link_heading

DESCRIPTION_CHARACTERS = 1024
"""(https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html)"""
RULE_CHARACTERS, RULE_ALARMS = 10_240, 100
"""The most that the rule of a composite alarm has, in characters and in alarms
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html)."""
_TERM_CHARACTERS = len('ALARM("-0123456") OR ')
"""What a rule has for each alarm, besides its logical name."""
SUPPRESSOR_WAIT_SECONDS = 120
"""How long a page waits for the alarm of a cause that has a page of its own, and after that alarm is over: CloudWatch
has the metrics of both within a minute or two."""


@dataclass(frozen=True)
class Metric:
    """What an alarm watches, or a dashboard shows."""

    namespace: str
    name: str
    dimensions: Mapping[str, pulumi.Input[str]]


def build_own_metric(name: MetricName, function: WatchedFunctionArgs) -> Metric:
    """A metric that a function of ours writes, as Powertools names its dimensions."""
    dimensions = {"service": function["service"], "function_name": function["function_name"]}
    return Metric(NAMESPACE, name.value, dimensions)


@dataclass(frozen=True)
class Condition:
    """When a metric alarm goes into ALARM."""

    threshold: float = 1
    statistic: str = "Sum"
    operator: str = "GreaterThanOrEqualToThreshold"
    period: int = 300
    periods: int = 1
    missing: str = "notBreaching"
    """What a period without data counts as: by default as good, for metrics that AWS sends only when there is
    something to count (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html)."""

    def with_threshold(self, threshold: float) -> "Condition":
        """The same with another threshold."""
        return replace(self, threshold=threshold)


class Window(NamedTuple):
    """So many periods in a row, as an alarm looks back on them."""

    period: int
    """Seconds, a multiple of 60 and at most a day."""
    periods: int


def find_window(seconds: int) -> Window | None:
    """The fewest equal periods that take in so many seconds; None where no alarm may look back that far."""
    periods = -(-seconds // DAY)
    window = Window(-(-seconds // (60 * periods)) * 60, periods)
    return window if window.period * window.periods <= LONGEST_ALARM_SECONDS else None


class Alarms:
    """Makes alarms under one name and parent, which ring one topic."""

    def __init__(
        self,
        name: str,
        runbook: str,
        topic_arn: pulumi.Input[str],
        tags: Mapping[str, str] | None,
        parent: pulumi.Resource,
    ) -> None:
        self._name, self._runbook, self._topic_arn = name, runbook, topic_arn
        self._tags, self._parent = tags, parent

    def watch(
        self, what: str, metric: Metric, condition: Condition, meaning: str, heading: str
    ) -> cloudwatch.MetricAlarm:
        """An alarm on one metric, without actions. `heading` is the anchor of the runbook's heading about it."""
        return cloudwatch.MetricAlarm(
            f"{self._name}-{what}",
            alarm_description=describe(meaning, self._runbook, heading),
            namespace=metric.namespace,
            metric_name=metric.name,
            dimensions=metric.dimensions,
            statistic=condition.statistic,
            comparison_operator=condition.operator,
            threshold=condition.threshold,
            period=condition.period,
            evaluation_periods=condition.periods,
            treat_missing_data=condition.missing,
            tags=self._tags,
            opts=ResourceOptions(parent=self._parent),
        )

    def watch_arrival(
        self, what: str, what_before: str, metric: Metric, window: Window, meaning: str, heading: str
    ) -> tuple[cloudwatch.MetricAlarm, cloudwatch.MetricAlarm]:
        """An alarm on a count that must not stay at 0 for a window, and one that is OK once there was any count.

        `page` takes the second one in `only_after`, so that a new stack is silent until there is something to count.
        """

        def watch(what: str, threshold: float, missing: str, meaning: str) -> cloudwatch.MetricAlarm:
            condition = Condition(
                threshold,
                operator="LessThanThreshold",
                period=window.period,
                periods=window.periods,
                missing=missing,
            )
            return self.watch(what, metric, condition, meaning, heading)

        return (
            # What never began sends nothing.
            watch(what, 1, "breaching", meaning),
            # Of what is never below 0 any data makes it OK, and it stays so; before, its data is insufficient.
            watch(
                what_before, 0, "ignore", f"INSUFFICIENT_DATA until the metric {metric.name} has data, OK ever after."
            ),
        )

    def page(
        self,
        subject: str,
        causes: Mapping[str, cloudwatch.MetricAlarm],
        meaning: str,
        heading: str,
        *,
        only_after: Mapping[str, cloudwatch.MetricAlarm] | None = None,
        suppressor: cloudwatch.CompositeAlarm | None = None,
    ) -> cloudwatch.CompositeAlarm | None:
        """An alarm that pages while any of these causes, by their short names, is in ALARM; None where there is none.

        A cause in `only_after` counts only while the alarm that stands there is OK. While the `suppressor` is in
        ALARM, that is the one to page.
        """
        if not causes:
            return None
        pending = only_after or {}
        alone = {what: alarm for what, alarm in causes.items() if what not in pending}
        terms = [_write_term(alarm.name) for alarm in self._group(subject, alone, reserved=len(pending))]
        terms += [
            Output.concat("(", _write_term(causes[what].name), ' AND OK("', other.name, '"))')
            for what, other in pending.items()
        ]
        like = next(iter(causes.values()))
        return self._create_composite(
            subject, terms, like, describe(meaning, self._runbook, heading), [self._topic_arn], suppressor
        )

    def _group(self, subject: str, causes: Mapping[str, cloudwatch.MetricAlarm], reserved: int) -> "list[_Named]":
        """The alarms of one rule; where they are more than it can have, an alarm for each part of them."""
        parts = split([f"{self._name}-{what}" for what in causes], reserved)
        format_key = [_Named(alarm.name) for alarm in causes.values()]
        if len(parts) == 1:
            return format_key
        groups, start = [], 0
        alarms = list(causes.values())
        for number, size in enumerate(parts, start=1):
            part = alarms[start : start + size]
            terms = [_write_term(alarm.name) for alarm in part]
            group = self._create_composite(
                f"{subject}-{number}", terms, part[0], f"Part of {subject} (rotation-guard)", []
            )
            groups.append(_Named(group.alarm_name))
            start += size
        return groups

    def _create_composite(
        self,
        subject: str,
        terms: Sequence[Output[str]],
        like: cloudwatch.MetricAlarm,
        description: str,
        topics: Sequence[pulumi.Input[str]],
        suppressor: cloudwatch.CompositeAlarm | None = None,
    ) -> cloudwatch.CompositeAlarm:
        name = f"{self._name}-{subject}"
        suppressed_by: cloudwatch.CompositeAlarmActionsSuppressorArgsDict | None = None
        if suppressor is not None:
            suppressed_by = {
                "alarm": suppressor.alarm_name,
                "wait_period": SUPPRESSOR_WAIT_SECONDS,
                "extension_period": SUPPRESSOR_WAIT_SECONDS,
            }
        return cloudwatch.CompositeAlarm(
            name,
            alarm_name=name_like(name, like.name),
            alarm_description=description,
            alarm_rule=Output.all(*terms).apply(" OR ".join),
            alarm_actions=list(topics),
            ok_actions=list(topics),
            actions_suppressor=suppressed_by,
            tags=self._tags,
            opts=ResourceOptions(parent=self._parent),
        )


@dataclass(frozen=True)
class _Named:
    """An alarm of either kind, by its name in AWS."""

    name: Output[str]


def describe(meaning: str, runbook: str, heading: str) -> str:
    """The description of an alarm: what it means, and where to read on.

    Where the runbook's URL is too long, the meaning is cut, then the heading: the link is more useful.
    """
    link = link_heading(runbook, heading)
    if len(link) > DESCRIPTION_CHARACTERS:
        return runbook
    available = DESCRIPTION_CHARACTERS - len(link) - 1
    return f"{meaning[:available]} {link}" if available > 0 else link


def split(logical_names: Sequence[str], reserved: int = 0) -> list[int]:
    """How many of these alarms, in their order, go into each rule; all into one where that can have them.

    `reserved` is the number of alarms that the rule has besides, each in a term of two.
    """
    available = RULE_CHARACTERS - reserved * 600
    sizes, length = [0], 0
    for name in logical_names:
        term = len(name) + _TERM_CHARACTERS
        if length + term > available or sizes[-1] + 1 > RULE_ALARMS - 2 * reserved:
            sizes.append(0)
            length = 0
        sizes[-1] += 1
        length += term
    return sizes


def name_like(logical_name: str, autonamed: pulumi.Input[str]) -> Output[str]:
    """A name as unique as one that Pulumi generated: for resources that it does not name by itself.

    CloudWatch takes a second alarm or dashboard of one name for an update of the first.
    """
    suffix = Output.from_input(autonamed).apply(lambda name: name.rpartition("-")[2])
    return Output.concat(logical_name, "-", suffix)


def _write_term(name: Output[str]) -> Output[str]:
    return Output.concat('ALARM("', name, '")')
