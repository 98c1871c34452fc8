"""A figure of the benchmark, and the table of all figures."""

from dataclasses import dataclass

from rich.table import Table


class NotInstalled(Exception):
    """What a figure is compared with is not on this machine; the sentence says how to install it."""


@dataclass(frozen=True)
class Figure:
    """A measured median, with its bound or baseline."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    """The upper limit, in the same unit."""
    baseline: float | None = None
    """The denominator of the ratio, in the same unit."""
    ratio_bound: float | None = None
    exactly: float | None = None
    """The exact value, where neither more nor less is correct."""

    @property
    def ratio(self) -> float | None:
        """The value divided by its baseline."""
        return self.value / self.baseline if self.baseline else None

    @property
    def passed(self) -> bool | None:
        """Whether the value is within its limit; None when it has no limit."""
        if self.exactly is not None:
            return self.value == self.exactly
        if self.ratio_bound is not None and self.ratio is not None:
            return self.ratio <= self.ratio_bound
        return None if self.bound is None else self.value <= self.bound


def build_table(figures: list[Figure]) -> Table:
    """Return the figures with their limits."""
    rendered = Table("figure", "measured", "baseline", "ratio", "limit", "within limit")
    marks = {True: "yes", False: "NO", None: ""}
    for figure in figures:
        rendered.add_row(
            figure.name,
            f"{_format_number(figure.value)} {figure.unit}",
            f"{_format_number(figure.baseline)} {figure.unit}" if figure.baseline else "",
            f"{figure.ratio:.3f}" if figure.ratio else "",
            _format_limit(figure),
            marks[figure.passed],
        )
    return rendered


def _format_limit(figure: Figure) -> str:
    if figure.exactly is not None:
        return f"exactly {figure.exactly} {figure.unit}"
    if figure.ratio_bound is not None:
        return f"{figure.ratio_bound} x"
    return "" if figure.bound is None else f"{figure.bound} {figure.unit}"


def _format_number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"
