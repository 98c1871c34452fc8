"""A figure of the benchmark, and the table of all of them."""

from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One figure: the median of what was measured, and what it is held against."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    """The promise, in the same unit."""
    baseline: float | None = None
    """What the ratio is taken to, in the same unit."""
    ratio_bound: float | None = None
    exactly: float | None = None
    """What it has to be, where neither more nor less will do."""

    @property
    def ratio(self) -> float | None:
        """The figure over its baseline."""
        return self.value / self.baseline if self.baseline else None

    @property
    def kept(self) -> bool | None:
        """Whether the promise holds in this run; None where nothing was promised."""
        if self.exactly is not None:
            return self.value == self.exactly
        if self.ratio_bound is not None and self.ratio is not None:
            return self.ratio <= self.ratio_bound
        return None if self.bound is None else self.value <= self.bound


def table(figures: list[Figure]) -> Table:
    """The figures, each beside its promise."""
    shown = Table("figure", "measured", "baseline", "ratio", "promise", "kept")
    kept = {True: "yes", False: "NO", None: ""}
    for figure in figures:
        shown.add_row(
            figure.name,
            f"{_number(figure.value)} {figure.unit}",
            f"{_number(figure.baseline)} {figure.unit}" if figure.baseline else "",
            f"{figure.ratio:.3f}" if figure.ratio else "",
            _promise(figure),
            kept[figure.kept],
        )
    return shown


def _promise(figure: Figure) -> str:
    if figure.exactly is not None:
        return f"exactly {figure.exactly} {figure.unit}"
    if figure.ratio_bound is not None:
        return f"{figure.ratio_bound} x"
    return "" if figure.bound is None else f"{figure.bound} {figure.unit}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"
