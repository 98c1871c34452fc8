"""CloudWatch's alarms as AWS evaluates them, where MiniStack differs. Runs inside the emulator.

MiniStack evaluates a metric alarm when PutMetricData is called, over all data of that metric name in one window. Here:

- An alarm watches the metric with exactly its dimensions, or one metric of `Metrics` or an expression over some.
- One value for each period, M out of N, and missing data as documented (`alarm_states.py`). An alarm is evaluated when
  it is put, whenever one of its metrics gets data, and every minute.
- The windows end at the time of evaluation, as those of AWS do: an alarm of 5 minutes looks at minutes 1 to 5, and a
  minute later at 2 to 6 (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html).
- A composite alarm's ActionsSuppressor holds back its actions
  (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-suppression.html).

**Compressed**: for alarms a second lasts `ALARM_TIME_SCALE` seconds. Periods, the minute between evaluations and the
waits of a suppressor are shorter by it, and messages grow older faster by it (`queue_metrics.py`). Two things take
their real time: alarms that treat missing data as breaching, since the schedules they wait for run in real time; and
the timestamps and periods that GetMetricStatistics and GetMetricData answer with.

Anomaly detection, Metrics Insights and PromQL are not evaluated: such an alarm is refused.
"""

import functools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, request_scope
from ministack.services import cloudwatch

from . import metric_math
from .alarm_states import ALARM, BREACHING, COMPARISONS, IGNORE, MISSING, NOT_BREACHING, AlarmRule, choose_state

Alarm = dict[str, Any]
Point = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
MetricKey = tuple[str, str, str]
"""Namespace, name and dimensions of a metric, as MiniStack keeps them."""

ALARM_TIME_SCALE = 0.02
"""Seconds that a second takes for alarms."""
EVALUATION_SECONDS = 60 * ALARM_TIME_SCALE
"""How often all alarms are evaluated: every minute of theirs."""

STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")

_CHANGES = (
    "_put_metric_alarm",
    "_put_composite_alarm",
    "_set_alarm_state",
    "_delete_alarms",
    "_put_metric_data",
    "_evict_old_metrics",
)
_WAIT, _EXTENSION = "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"
lock = threading.RLock()
"""Whoever adds data or changes an alarm holds it."""
_watched: Any = AccountRegionScopedDict()
"""Name of a metric alarm -> keys of the metrics that it watches."""
_suppressors: Any = AccountRegionScopedDict()
"""Name of a composite alarm -> what PutCompositeAlarm said about its suppressor."""
_held_actions: Any = AccountRegionScopedDict()
"""Name of a composite alarm -> HeldActions."""
_log = logging.getLogger("alarms")
_put_metric_alarm_by_ministack = cloudwatch._put_metric_alarm
_put_composite_alarm_by_ministack = cloudwatch._put_composite_alarm
_dispatch_by_ministack = cloudwatch._dispatch_alarm_actions


def install() -> None:
    """Evaluate alarms from here on."""
    cloudwatch._evaluate_alarm = evaluate  # ty: ignore[invalid-assignment]
    cloudwatch._evaluate_all_alarms = evaluate_all  # ty: ignore[invalid-assignment]
    cloudwatch._dispatch_alarm_actions = perform_actions  # ty: ignore[invalid-assignment]
    cloudwatch._put_metric_alarm = put_metric_alarm  # ty: ignore[invalid-assignment]
    cloudwatch._put_composite_alarm = put_composite_alarm  # ty: ignore[invalid-assignment]
    for name in _CHANGES:
        setattr(cloudwatch, name, _one_at_a_time(getattr(cloudwatch, name)))


def evaluate_each_minute(before: Callable[[], None]) -> None:
    """Evaluate the alarms of every account and Region each minute, in a thread; `before` is called before each."""

    def run() -> None:
        while True:
            time.sleep(EVALUATION_SECONDS)
            try:
                before()
                for account_id, region in {(scope[0], scope[1]) for scope, _ in cloudwatch._alarms.all_items()}:
                    with request_scope(account_id, region):
                        evaluate_all()
            except Exception:  # noqa: BLE001 - without this thread every alarm would be silent
                _log.exception("alarms could not be evaluated")

    threading.Thread(target=run, daemon=True, name="alarms").start()


def evaluate_all() -> None:
    """Evaluate every metric alarm of this account and Region."""
    with lock:
        for alarm in cloudwatch._alarms.values():
            evaluate(alarm)
        _perform_held_actions()


def evaluate_watching(key: MetricKey) -> None:
    """Evaluate the alarms that watch this metric: it has new data."""
    with lock:
        for name, keys in _watched.items():
            if key in keys and (alarm := cloudwatch._alarms.get(name)):
                evaluate(alarm)


def evaluate(alarm: Alarm) -> None:
    """Bring a metric alarm into the state that its data says; a change performs its actions."""
    with lock:
        if "Metrics" not in alarm and not alarm.get("MetricName"):
            return  # It is being put: its `Metrics` are still to come.
        old = alarm["StateValue"]
        rule = AlarmRule(
            alarm["ComparisonOperator"],
            alarm["Threshold"],
            alarm["EvaluationPeriods"],
            alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"],
            alarm.get("TreatMissingData") or MISSING,
        )
        values = _read_values(alarm, rule)
        new = choose_state(values, rule, old)
        if new == old:
            return
        latest = next((value for value in values if value is not None), None)
        observation = "there is no data" if latest is None else f"the latest data point is {latest:g}"
        reason = f"{observation}; the alarm is for {rule.comparison} {rule.threshold:g}"
        alarm["StateValue"], alarm["StateReason"] = new, reason
        alarm["StateUpdatedTimestamp"] = int(time.time())
        cloudwatch._record_history(alarm["AlarmName"], old, new, reason)
        cloudwatch._dispatch_alarm_actions(alarm, old, new, reason)
        cloudwatch._evaluate_parent_alarms(alarm)


def _read_values(alarm: Alarm, rule: AlarmRule) -> list[float | None]:
    """One value for each period of the evaluation range, the latest first."""
    if queries := alarm.get("Metrics"):
        series = {
            query["Id"]: _read_series(query["MetricStat"], rule)
            for query in queries
            if query.get("MetricStat") is not None
        }
        return metric_math.evaluate(queries, series, rule.evaluation_range)
    [stat] = _list_metric_stats(alarm)
    return _read_series(stat, rule)


def _read_series(stat: dict[str, Any], rule: AlarmRule) -> list[float | None]:
    points, now = cloudwatch._metrics.get(_build_key(stat)) or [], time.time()
    seconds = stat["Period"] * (1 if rule.treat_missing_data == BREACHING else ALARM_TIME_SCALE)
    windows: list[list[Point]] = [[] for _ in range(rule.evaluation_range)]
    for point in points:
        age = (now - point["Timestamp"]) / seconds
        if 0 <= age < len(windows) and stat.get("Unit") in (None, point["Unit"]):
            windows[int(age)].append(point)
    return [_compute_statistic(window, stat["Stat"]) for window in windows]


def _compute_statistic(points: list[Point], name: str) -> float | None:
    stats = cloudwatch._calc_stats(points)
    return cloudwatch._stat_value(stats, name, points) if stats else None


def _list_metric_stats(alarm: Alarm) -> list[dict[str, Any]]:
    """The metrics that an alarm watches, as `MetricStat` of the API."""
    if queries := alarm.get("Metrics"):
        return [query["MetricStat"] for query in queries if query.get("MetricStat")]
    metric = {key: alarm[key] for key in ("Namespace", "MetricName", "Dimensions")}
    stat = alarm.get("ExtendedStatistic") or alarm.get("Statistic")
    return [{"Metric": metric, "Period": alarm["Period"], "Stat": stat, "Unit": alarm.get("Unit")}]


def _build_key(stat: dict[str, Any]) -> MetricKey:
    metric = stat["Metric"]
    dimensions = cloudwatch._dims_from_list(metric.get("Dimensions") or [])
    return metric["Namespace"], metric["MetricName"], cloudwatch._dims_key(dimensions)


_SHORT_PERIODS, _HOUR, _DAY = (10, 20, 30), 3600, 86_400
_CHECKED_FIELDS = (
    "ComparisonOperator",
    "Statistic",
    "ExtendedStatistic",
    "Metrics",
    "Period",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "TreatMissingData",
)


def put_metric_alarm(params: dict[str, Any], request: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Answer:
    """Answer PutMetricAlarm: `Metrics` is kept too, and what cannot be evaluated here is refused."""
    fields = _read_fields(params, request, "AlarmName", *_CHECKED_FIELDS)
    queries = fields.get("Metrics")
    try:
        if any(name.startswith("Metrics.") for name in params):
            raise ValueError("Metrics is not read from the Query protocol here: use JSON or CBOR")
        _require_evaluable(fields)
        _require_valid(fields)
    except ValueError as error:
        return cloudwatch._error("ValidationError", str(error), 400, use_json=is_json, use_cbor=is_cbor)
    answer = _put_metric_alarm_by_ministack(params, request, is_cbor, is_json)
    if answer[0] == 200:
        alarm = cloudwatch._alarms[fields["AlarmName"]]
        if "ExtendedStatistic" in fields:
            del alarm["Statistic"]
        if queries:
            for field in ("Namespace", "MetricName", "Statistic", "ExtendedStatistic", "Period", "Dimensions"):
                alarm.pop(field, None)
            alarm["Metrics"] = queries
        _watched[alarm["AlarmName"]] = {_build_key(stat) for stat in _list_metric_stats(alarm)}
        evaluate(alarm)
    return answer


def _require_evaluable(fields: dict[str, Any]) -> None:
    """Raise ValueError for an alarm that AWS evaluates and this does not."""
    comparison = fields.get("ComparisonOperator")
    if comparison not in COMPARISONS:
        raise ValueError(f"ComparisonOperator must be one of {', '.join(COMPARISONS)} here, got {comparison}")
    queries = fields.get("Metrics") or []
    metric_math.check(queries)
    stats = [query["MetricStat"]["Stat"] for query in queries if query.get("MetricStat")]
    for name in stats if queries else [fields.get("ExtendedStatistic") or fields.get("Statistic")]:
        if name not in STATISTICS and not cloudwatch._is_percentile_stat(name):
            raise ValueError(f"the statistic must be one of {', '.join(STATISTICS)} or a percentile here, got {name}")


def _require_valid(fields: dict[str, Any]) -> None:
    """Raise ValueError for an alarm that AWS refuses and MiniStack does not.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    treatments = (MISSING, IGNORE, BREACHING, NOT_BREACHING)
    if (treatment := fields.get("TreatMissingData", MISSING)) not in treatments:
        raise ValueError(f"TreatMissingData must be one of {', '.join(treatments)}, got {treatment}")
    evaluated = int(fields.get("EvaluationPeriods", 1))
    if (datapoints := int(fields.get("DatapointsToAlarm", evaluated))) > evaluated:
        raise ValueError(f"DatapointsToAlarm must be at most EvaluationPeriods, {evaluated}, got {datapoints}")
    stats = [query["MetricStat"] for query in fields.get("Metrics") or [] if query.get("MetricStat")]
    for period in [int(one["Period"]) for one in [*stats, fields] if "Period" in one]:
        if period not in _SHORT_PERIODS and (period < 60 or period % 60):
            raise ValueError(f"Period must be 10, 20, 30 or a multiple of 60 seconds, got {period}")
        longest = _DAY if period < _HOUR else 7 * _DAY
        if period * evaluated > longest:
            raise ValueError(f"Period times EvaluationPeriods must be at most {longest}, got {period * evaluated}")


def put_composite_alarm(
    params: dict[str, Any], request: dict[str, Any], is_cbor: bool, is_json: bool = False
) -> Answer:
    """Answer PutCompositeAlarm: its suppressor is kept too."""
    fields = _read_fields(params, request, "AlarmName", "ActionsSuppressor", _WAIT, _EXTENSION)
    name = fields.pop("AlarmName", "")
    fields |= {period: int(fields[period]) for period in (_WAIT, _EXTENSION) if period in fields}
    before = _suppressors.get(name)
    # MiniStack performs the first actions before it answers.
    _suppressors[name] = fields
    answer = _put_composite_alarm_by_ministack(params, request, is_cbor, is_json)
    if answer[0] == 200:
        cloudwatch._composite_alarms[name].update(fields)
    else:
        _suppressors[name] = before or {}
    return answer


def _read_fields(params: dict[str, Any], request: dict[str, Any], *names: str) -> dict[str, Any]:
    """These fields of a request in any of CloudWatch's protocols, without those that are absent."""
    observation = {name: request.get(name) if request else cloudwatch._p(params, name) for name in names}
    return {name: value for name, value in observation.items() if value not in (None, "")}


@dataclass
class HeldActions:
    """Actions of a composite alarm that wait for its suppressor."""

    alarm: Alarm
    change: tuple[str, str, str]
    """The state before, the state since, and the reason."""
    until: float
    """When they are performed, in epoch seconds, unless the suppressor is in ALARM then."""


def perform_actions(alarm: Alarm, old: str, new: str, reason: str) -> None:
    """Perform the actions of a change of state, or hold them back where a suppressor may say so."""
    suppressor = _suppressors.get(alarm["AlarmName"]) if alarm["AlarmName"] in cloudwatch._composite_alarms else None
    if not suppressor or "ActionsSuppressor" not in suppressor:
        _dispatch_by_ministack(alarm, old, new, reason)
        return
    until = time.time() + suppressor.get(_WAIT, 0) * ALARM_TIME_SCALE
    # Of two changes that are held back the later one counts.
    _held_actions[alarm["AlarmName"]] = HeldActions(alarm, (old, new, reason), until)
    _perform_held_actions()


def _perform_held_actions() -> None:
    now = time.time()
    for name, held in _held_actions.items():
        if cloudwatch._composite_alarms.get(name) is not held.alarm:
            _held_actions.pop(name)
            continue
        suppressor = _suppressors[name]
        if cloudwatch._rule_alarm_state(suppressor["ActionsSuppressor"]) == ALARM:
            held.until = now + suppressor.get(_EXTENSION, 0) * ALARM_TIME_SCALE
        elif held.until <= now:
            _held_actions.pop(name)
            _dispatch_by_ministack(held.alarm, *held.change)


def _one_at_a_time(function: Callable[..., Any]) -> Callable[..., Any]:
    """This function, during which no alarm changes its state by another thread."""

    @functools.wraps(function)
    def locked(*arguments: Any, **options: Any) -> Any:
        with lock:
            return function(*arguments, **options)

    return locked
