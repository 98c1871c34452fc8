"""The charts as inline SVG: no script, no style of their own and no reference, so the page's policy allows them.

Colours and fonts are those of the classes in `templates/page.css`. A chart is an image with a title and a description
for screen readers; the page has its figures in a table as well.
"""

from collections.abc import Sequence
from datetime import datetime

import svg
from markupsafe import Markup, escape

from rotation_guard.domain.audit.tally import Part

from .statistics import Ages, DueDates
from .trend import Trend, WeekPoint

WIDTH = 560
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 8, 30, 30
_GAP = 6
"""Between two bars."""
_MAX_TICKS = 4
_WEEK_LABELS_EVERY = 3
_MONTH_LABELS_EVERY = 3
_LABEL_WIDTH = 92
"""Room for the labels at the ends of lines."""
_LABEL_DISTANCE = 17
"""Between the labels of two lines, so that they do not overlap."""


def draw_ages(ages: Ages) -> Markup:
    """The histogram of ages, stacked by part, with the most common limit as a line between two bars."""
    height, bottom = 240, 240 - _BOTTOM
    # One more slot for the secrets of unknown age, behind a gap of half a slot.
    slot = (WIDTH - _LEFT - _RIGHT) / (len(ages.bins) + 1.5)
    scale = _Scale(max([ages.unknown, *(age_bin.total for age_bin in ages.bins)]), bottom, _TOP)
    elements = _grid(scale)
    for index, age_bin in enumerate(ages.bins):
        left, base = _LEFT + index * slot, 0
        parts = (
            (Part.WITHIN_LIMIT, age_bin.within_limit),
            (Part.ACCEPTED, age_bin.accepted),
            (Part.OVER_LIMIT, age_bin.over_limit),
        )
        for part, total in parts:
            elements += _bar(left, slot, scale, base, total, part)
            base += total
        elements += _value_label(left + slot / 2, scale, age_bin.total)
        if age_bin.high is not None:
            elements.append(_text(left + slot, bottom + 18, str(age_bin.high), "middle"))
    unknown_left = _LEFT + (len(ages.bins) + 0.5) * slot
    elements += _bar(unknown_left, slot, scale, 0, ages.unknown, Part.UNKNOWN)
    elements += _value_label(unknown_left + slot / 2, scale, ages.unknown)
    elements.append(_text(unknown_left + slot / 2, bottom + 18, "unknown", "middle"))
    position = next((index for index, age_bin in enumerate(ages.bins) if age_bin.high == ages.limit), None)
    if position is not None:
        x = _LEFT + (position + 1) * slot
        elements.append(svg.Line(x1=_round(x), x2=_round(x), y1=18, y2=bottom, class_=["limit"]))
        elements.append(_text(x + 5, 16, f"limit: {ages.limit} days", "start", "limit-label"))
    return _image("ages", height, "Ages of the values in use", _describe_ages(ages), elements)


def draw_due(due: DueDates) -> Markup:
    """The number of secrets that reach their limit in each of the next weeks."""
    height, bottom = 200, 200 - _BOTTOM
    slot = (WIDTH - _LEFT - _RIGHT) / len(due.weeks)
    scale = _Scale(max(week.total for week in due.weeks), bottom, _TOP)
    elements = _grid(scale)
    for index, week in enumerate(due.weeks):
        left = _LEFT + index * slot
        elements += _bar(left, slot, scale, 0, week.total, Part.WITHIN_LIMIT)
        elements += _value_label(left + slot / 2, scale, week.total)
        if index % _WEEK_LABELS_EVERY == 0 and index < len(due.weeks) - 1:
            elements.append(_text(left + _GAP / 2, bottom + 18, f"{week.begins:%d %b}", "start"))
    first = due.weeks[0]
    description = (
        f"{len(due.secrets)} secrets reach their limit in the next 90 days, {first.total} of them in the next 7."
    )
    return _image("due", height, "Secrets that reach their limit, by week", description, elements)


def draw_trend(trend: Trend) -> Markup:
    """Secrets over their limit and of unknown age, by week."""
    height, bottom = 240, 240 - _BOTTOM
    axis = _TimeAxis(trend.begins, trend.ends, _LABEL_WIDTH)
    scale = _Scale(max([0, *(max(point.over_limit, point.unknown) for point in trend.points)]), bottom, _TOP)
    elements = _grid(scale)
    series = (
        ("over", Part.OVER_LIMIT, [(point.at, point.over_limit) for point in trend.points]),
        ("unknown", Part.UNKNOWN, [(point.at, point.unknown) for point in trend.points]),
    )
    for _, part, values in series:
        places = [(axis.x(at), scale.y(value)) for at, value in values]
        if len(places) == 1:
            elements.append(svg.Circle(cx=places[0][0], cy=places[0][1], r=3, class_=[part]))
        elif places:
            points = [svg.Point(x, y) for x, y in places]
            elements.append(svg.Polyline(points=points, class_=["line", f"line-{part}"]))
    elements += _line_labels(series, axis, scale)
    elements += _month_labels(trend, axis, bottom)
    return _image("trend", height, "Secrets over the limit and unknown, by week", _describe_trend(trend), elements)


def draw_incidents(trend: Trend) -> Markup:
    """The incidents of each month."""
    height, bottom = 240, 240 - _BOTTOM
    axis = _TimeAxis(trend.begins, trend.ends)
    scale = _Scale(max(month.incidents for month in trend.months), bottom, _TOP)
    elements = _grid(scale)
    ends = [*(month.begins for month in trend.months[1:]), trend.ends]
    for month, end in zip(trend.months, ends, strict=True):
        left, right = axis.x(month.begins), axis.x(end)
        elements += _bar(left, right - left, scale, 0, month.incidents, "incident")
        elements += _value_label((left + right) / 2, scale, month.incidents)
    elements += _month_labels(trend, axis, bottom)
    opened = sum(month.incidents for month in trend.months)
    return _image("opened", height, "Incidents opened, by month", f"{opened} incidents were opened.", elements)


class _Scale:
    """A vertical axis from 0 to a rounded maximum, in the coordinates of the image."""

    def __init__(self, maximum: int, bottom: float, top: float) -> None:
        self.bottom = bottom
        self.step = _choose_step(maximum)
        self.maximum = max(-(-maximum // self.step) * self.step, self.step)
        self._height = bottom - top

    def y(self, value: int) -> float:
        return _round(self.bottom - self._height * value / self.maximum)


class _TimeAxis:
    """A horizontal axis of time."""

    def __init__(self, begins: datetime, ends: datetime, right: float = 0) -> None:
        self._begins, self._span = begins, max((ends - begins).total_seconds(), 1)
        self._width = WIDTH - _LEFT - _RIGHT - right

    def x(self, at: datetime) -> float:
        share = (at - self._begins).total_seconds() / self._span
        return _round(_LEFT + share * self._width)


def _choose_step(maximum: int) -> int:
    """The least of 1, 2, 5, 10, 20, ... with which few steps reach the maximum."""
    magnitude = 1
    while True:
        for factor in (1, 2, 5):
            if factor * magnitude * _MAX_TICKS >= maximum:
                return factor * magnitude
        magnitude *= 10


def _grid(scale: _Scale) -> list[svg.Element]:
    """The lines and figures of a vertical axis."""
    elements: list[svg.Element] = []
    for value in range(0, scale.maximum + 1, scale.step):
        y, kind = scale.y(value), ["grid"] if value else ["axis"]
        elements.append(svg.Line(x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y, class_=kind))
        elements.append(_text(_LEFT - 8, y + 4, f"{value:,}".replace(",", " "), "end"))
    return elements


def _bar(left: float, slot: float, scale: _Scale, base: int, total: int, part: str) -> list[svg.Element]:
    if not total:
        return []
    top = scale.y(base + total)
    width, height = _round(max(slot - _GAP, 2)), _round(max(scale.y(base) - top, 1))
    return [svg.Rect(x=_round(left + _GAP / 2), y=top, width=width, height=height, class_=[part])]


def _value_label(center: float, scale: _Scale, total: int) -> list[svg.Element]:
    return [_text(center, scale.y(total) - 5, str(total), "middle", "value")] if total else []


def _line_labels(
    series: Sequence[tuple[str, str, Sequence[tuple[datetime, int]]]], axis: _TimeAxis, scale: _Scale
) -> list[svg.Element]:
    """The name of each line at its end, so that nobody has to tell colours apart."""
    ends = sorted(
        ((scale.y(values[-1][1]), name, part, values[-1]) for name, part, values in series if values), reverse=True
    )
    elements: list[svg.Element] = []
    lowest = float("inf")
    for y, name, part, (at, value) in ends:
        lowest = min(y + 4, lowest - _LABEL_DISTANCE)
        elements.append(_text(axis.x(at) + 6, lowest, f"{value} {name}", "start", f"label-{part}"))
    return elements


def _month_labels(trend: Trend, axis: _TimeAxis, bottom: float) -> list[svg.Element]:
    """Some months by name; the last one has no room for it."""
    labeled = trend.months[:-1:_MONTH_LABELS_EVERY]
    return [_text(axis.x(month.begins), bottom + 18, f"{month.begins:%b %Y}", "start") for month in labeled]


def _describe_ages(ages: Ages) -> str:
    over = sum(age_bin.over_limit for age_bin in ages.bins)
    known = sum(age_bin.total for age_bin in ages.bins)
    limit = "" if ages.limit is None else f" The most common limit is {ages.limit} days."
    return (
        f"{known} secrets by the age of their values: {over} are over their limits; {ages.unknown} are unknown.{limit}"
    )


def _describe_trend(trend: Trend) -> str:
    if not trend.points:
        return "No complete run is recorded."
    first, last = trend.points[0], trend.points[-1]
    ends = f"{_describe_point(first)} at first, {_describe_point(last)} at last"
    return f"From {first.at:%Y-%m-%d} to {last.at:%Y-%m-%d}: {ends}."


def _describe_point(point: WeekPoint) -> str:
    return f"{point.over_limit} over the limit and {point.unknown} unknown"


def _text(x: float, y: float, text: str, anchor: str, *classes: str) -> svg.Text:
    # The library does not escape texts.
    return svg.Text(x=_round(x), y=_round(y), text=str(escape(text)), class_=[f"anchor-{anchor}", *classes])


def _image(name: str, height: int, title: str, description: str, elements: Sequence[svg.Element]) -> Markup:
    """The image, whose texts are escaped."""
    labels = {"role": "img", "aria-labelledby": f"chart-{name}-title chart-{name}-text"}
    image = svg.SVG(
        viewBox=svg.ViewBoxSpec(0, 0, WIDTH, height),
        class_=["chart"],
        extra=labels,
        elements=[
            svg.Title(id=f"chart-{name}-title", elements=[], text=str(escape(title))),
            svg.Desc(id=f"chart-{name}-text", elements=[], text=str(escape(description))),
            *elements,
        ],
    )
    return Markup(image.as_str())  # noqa: S704 - its texts are escaped above, and its numbers are ours


def _round(number: float) -> float:
    return round(number, 1)
