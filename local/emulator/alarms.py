"""Evaluates CloudWatch's alarms as AWS does. Runs inside the emulator.

MiniStack evaluates a metric alarm when PutMetricData is called, over all data of that metric name in one window. Here:

- An alarm watches the metric with exactly its dimensions, a metric of `Metrics`, or an expression over several.
- Each period has one value; M out of N and missing data are evaluated as documented (`alarm_states.py`). An alarm is
  evaluated when it is put, when one of its metrics gets data, and every minute.
- Windows end at the time of evaluation, as on AWS: a 5-minute alarm reads minutes 1 to 5, and a minute later 2 to 6 (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html).
- A composite alarm's ActionsSuppressor holds back its actions
  (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-suppression.html).

**Compressed time**: for alarms a second lasts `ALARM_TIME_SCALE` seconds. Periods, the minute between evaluations and
the waits of a suppressor are shorter by it, and messages age faster by it (`queue_metrics.py`). Two things are in real
time: alarms that treat missing data as breaching, since the schedules that they watch run in real time; and the
timestamps and periods of GetMetricStatistics and GetMetricData.

Anomaly detection, Metrics Insights and PromQL are not supported: such an alarm is rejected.
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
Response = tuple[int, dict[str, str], bytes]
MetricKey = tuple[str, str, str]
"""Namespace, name and dimensions of a metric, as MiniStack keeps them."""

ALARM_TIME_SCALE = 0.02
"""Seconds that a second of alarms takes."""
EVALUATION_SECONDS = 60 * ALARM_TIME_SCALE
"""How often all alarms are evaluated: a compressed minute."""

STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")

_LOCKED_FUNCTIONS = (
    "_put_metric_alarm",
    "_put_composite_alarm",
    "_set_alarm_state",
    "_delete_alarms",
    "_put_metric_data",
    "_evict_old_metrics",
)
_WAIT, _EXTENSION = "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"
lock = threading.RLock()
"""Held by every change of data and alarms."""
_watched: Any = AccountRegionScopedDict()
"""Metric alarm -> keys of the metrics that it watches."""
_suppressors: Any = AccountRegionScopedDict()
"""Composite alarm -> its suppressor and the suppressor's periods."""
_suppressed_actions: Any = AccountRegionScopedDict()
"""Composite alarm -> its SuppressedActions."""
_log = logging.getLogger("alarms")
_put_metric_alarm_by_ministack = cloudwatch._put_metric_alarm
_put_composite_alarm_by_ministack = cloudwatch._put_composite_alarm
_dispatch_by_ministack = cloudwatch._dispatch_alarm_actions


def install() -> None:
    """Evaluate alarms."""
    cloudwatch._evaluate_alarm = evaluate  # ty: ignore[invalid-assignment]
    cloudwatch._evaluate_all_alarms = evaluate_all  # ty: ignore[invalid-assignment]
    cloudwatch._dispatch_alarm_actions = perform_actions  # ty: ignore[invalid-assignment]
    cloudwatch._put_metric_alarm = put_metric_alarm  # ty: ignore[invalid-assignment]
    cloudwatch._put_composite_alarm = put_composite_alarm  # ty: ignore[invalid-assignment]
    for name in _LOCKED_FUNCTIONS:
        setattr(cloudwatch, name, _hold_lock(getattr(cloudwatch, name)))


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
            except Exception:  # noqa: BLE001 - without this thread no alarm would fire
                _log.exception("alarms could not be evaluated")

    threading.Thread(target=run, daemon=True, name="alarms").start()


def evaluate_all() -> None:
    """Evaluate every metric alarm of this account and Region."""
    with lock:
        for alarm in cloudwatch._alarms.values():
            evaluate(alarm)
        _perform_suppressed_actions()


def evaluate_watching(key: MetricKey) -> None:
    """Evaluate the alarms that watch this metric, which has new data."""
    with lock:
        for name, keys in _watched.items():
            if key in keys and (alarm := cloudwatch._alarms.get(name)):
                evaluate(alarm)


def evaluate(alarm: Alarm) -> None:
    """Set a metric alarm to the state that follows from its data; a change performs its actions."""
    with lock:
        if "Metrics" not in alarm and not alarm.get("MetricName"):
            return  # It is being put: `Metrics` is set later.
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
    """Read a value for each period of the evaluation range, latest first."""
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


def put_metric_alarm(params: dict[str, Any], request: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Response:
    """Handle PutMetricAlarm: store `Metrics` as well, and reject what cannot be evaluated here."""
    fields = _read_fields(params, request, "AlarmName", *_CHECKED_FIELDS)
    queries = fields.get("Metrics")
    try:
        if any(name.startswith("Metrics.") for name in params):
            raise ValueError("Metrics is not read from the Query protocol here: use JSON or CBOR")
        _require_evaluable(fields)
        _require_valid(fields)
    except ValueError as error:
        return cloudwatch._error("ValidationError", str(error), 400, use_json=is_json, use_cbor=is_cbor)
    response = _put_metric_alarm_by_ministack(params, request, is_cbor, is_json)
    if response[0] == 200:
        alarm = cloudwatch._alarms[fields["AlarmName"]]
        if "ExtendedStatistic" in fields:
            del alarm["Statistic"]
        if queries:
            for field in ("Namespace", "MetricName", "Statistic", "ExtendedStatistic", "Period", "Dimensions"):
                alarm.pop(field, None)
            alarm["Metrics"] = queries
        _watched[alarm["AlarmName"]] = {_build_key(stat) for stat in _list_metric_stats(alarm)}
        evaluate(alarm)
    return response


def _require_evaluable(fields: dict[str, Any]) -> None:
    """Raise ValueError for an alarm that only AWS can evaluate."""
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
    """Raise ValueError for an alarm that AWS rejects and MiniStack accepts.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    treatments = (MISSING, IGNORE, BREACHING, NOT_BREACHING)
    if (treatment := fields.get("TreatMissingData", MISSING)) not in treatments:
        raise ValueError(f"TreatMissingData must be one of {', '.join(treatments)}, got {treatment}")
    evaluated = int(fields.get("EvaluationPeriods", 1))
    if (datapoints := int(fields.get("DatapointsToAlarm", evaluated))) > evaluated:
        raise ValueError(f"DatapointsToAlarm must be at most EvaluationPeriods, {evaluated}, got {datapoints}")
    stats = [query["MetricStat"] for query in fields.get("Metrics") or [] if query.get("MetricStat")]
    for period in [int(source["Period"]) for source in [*stats, fields] if "Period" in source]:
        if period not in _SHORT_PERIODS and (period < 60 or period % 60):
            raise ValueError(f"Period must be 10, 20, 30 or a multiple of 60 seconds, got {period}")
        longest = _DAY if period < _HOUR else 7 * _DAY
        if period * evaluated > longest:
            raise ValueError(f"Period times EvaluationPeriods must be at most {longest}, got {period * evaluated}")


def put_composite_alarm(
    params: dict[str, Any], request: dict[str, Any], is_cbor: bool, is_json: bool = False
) -> Response:
    """Handle PutCompositeAlarm: store the suppressor as well."""
    fields = _read_fields(params, request, "AlarmName", "ActionsSuppressor", _WAIT, _EXTENSION)
    name = fields.pop("AlarmName", "")
    fields |= {period: int(fields[period]) for period in (_WAIT, _EXTENSION) if period in fields}
    before = _suppressors.get(name)
    # MiniStack performs the first actions before it responds.
    _suppressors[name] = fields
    response = _put_composite_alarm_by_ministack(params, request, is_cbor, is_json)
    if response[0] == 200:
        cloudwatch._composite_alarms[name].update(fields)
    else:
        _suppressors[name] = before or {}
    return response


def _read_fields(params: dict[str, Any], request: dict[str, Any], *names: str) -> dict[str, Any]:
    """Read the fields that are present in a request of any of CloudWatch's protocols."""
    observation = {name: request.get(name) if request else cloudwatch._p(params, name) for name in names}
    return {name: value for name, value in observation.items() if value not in (None, "")}


@dataclass
class SuppressedActions:
    """Actions of a composite alarm that its suppressor delays."""

    alarm: Alarm
    change: tuple[str, str, str]
    """The state before, the state since, and the reason."""
    until: float
    """When they are performed, in epoch seconds, unless the suppressor is in ALARM."""


def perform_actions(alarm: Alarm, old: str, new: str, reason: str) -> None:
    """Perform the actions of a state change, or delay them when the alarm has a suppressor."""
    suppressor = _suppressors.get(alarm["AlarmName"]) if alarm["AlarmName"] in cloudwatch._composite_alarms else None
    if not suppressor or "ActionsSuppressor" not in suppressor:
        _dispatch_by_ministack(alarm, old, new, reason)
        return
    until = time.time() + suppressor.get(_WAIT, 0) * ALARM_TIME_SCALE
    # A later change replaces a delayed one.
    _suppressed_actions[alarm["AlarmName"]] = SuppressedActions(alarm, (old, new, reason), until)
    _perform_suppressed_actions()


def _perform_suppressed_actions() -> None:
    now = time.time()
    for name, suppressed in _suppressed_actions.items():
        if cloudwatch._composite_alarms.get(name) is not suppressed.alarm:
            _suppressed_actions.pop(name)
            continue
        suppressor = _suppressors[name]
        if cloudwatch._rule_alarm_state(suppressor["ActionsSuppressor"]) == ALARM:
            suppressed.until = now + suppressor.get(_EXTENSION, 0) * ALARM_TIME_SCALE
        elif suppressed.until <= now:
            _suppressed_actions.pop(name)
            _dispatch_by_ministack(suppressed.alarm, *suppressed.change)


def _hold_lock(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function so that no other thread changes alarms meanwhile."""

    @functools.wraps(function)
    def locked(*arguments: Any, **options: Any) -> Any:
        with lock:
            return function(*arguments, **options)

    return locked
