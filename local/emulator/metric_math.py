"""Evaluates the metric math of alarms: a subset of CloudWatch's expressions, parsed as Python. Pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html: arithmetic, comparisons, AND and
OR, and the functions in FUNCTIONS. Any other expression is rejected, so that no alarm is silently ineffective.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Query = Mapping[str, Any]
"""One `MetricDataQuery` of the API."""
Series = Sequence[float | None]
"""A value for each period, None where data is missing."""
Value = Series | float

_OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.And: lambda left, right: bool(left) and bool(right),
    ast.Or: lambda left, right: bool(left) or bool(right),
}
_REDUCERS: dict[str, Callable[[list[float]], float]] = {
    "SUM": math.fsum,
    "MAX": max,
    "MIN": min,
    "AVG": lambda values: math.fsum(values) / len(values),
}
FUNCTIONS = ("IF", "FILL", "METRICS", *_REDUCERS)


def check(queries: Sequence[Query]) -> None:
    """Raise ValueError for queries that no alarm can watch, or that are not supported here."""
    if not queries:
        return
    periods = 1
    series: dict[str, Series] = {query["Id"]: [1.0] * periods for query in queries if query.get("MetricStat")}
    evaluate(queries, series, periods)


def evaluate(queries: Sequence[Query], series: Mapping[str, Series], periods: int) -> list[float | None]:
    """Return the value of the query that returns data for each period; `series` are the metrics, by query.

    Raises ValueError for an expression that is not supported here.
    """
    returned = [query for query in queries if query.get("ReturnData", True)]
    if len(returned) != 1:
        raise ValueError(f"exactly one of Metrics must return data, got {len(returned)}")
    expressions = {query["Id"]: query["Expression"] for query in queries if query.get("Expression")}
    value = _Evaluation(expressions, series, periods).evaluate_query(returned[0]["Id"])
    return list(value) if isinstance(value, Sequence) else [value] * periods


class _Evaluation:
    def __init__(self, expressions: Mapping[str, str], series: Mapping[str, Series], periods: int) -> None:
        self._expressions, self._series, self._periods = expressions, series, periods
        self._entered: list[str] = []

    def evaluate_query(self, query: str) -> Value:
        if query in self._series:
            return self._series[query]
        if query not in self._expressions or query in self._entered:
            raise ValueError(f"Metrics: {query} is no metric or expression of this alarm")
        self._entered.append(query)
        text = self._expressions[query]
        try:
            python = re.sub(r"&&|\bAND\b", " and ", re.sub(r"\|\||\bOR\b", " or ", text)).strip()
            return self._evaluate(ast.parse(python, mode="eval").body)
        except (SyntaxError, KeyError):
            raise ValueError(f"the expression {text!r} is not evaluated by the embedded AWS") from None
        finally:
            self._entered.pop()

    def _evaluate(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name):
                return self.evaluate_query(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._combine(operator.mul, -1.0, self._evaluate(operand))
            case ast.BinOp(left=left, op=op, right=right):
                return self._combine(_OPERATORS[type(op)], self._evaluate(left), self._evaluate(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._combine(_OPERATORS[type(op)], self._evaluate(left), self._evaluate(right))
            case ast.BoolOp(op=op, values=[first, *others]):
                value = self._evaluate(first)
                for other in others:
                    value = self._combine(_OPERATORS[type(op)], value, self._evaluate(other))
                return value
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call_function(name.upper(), arguments)
        raise KeyError(ast.dump(node))

    def _call_function(self, name: str, arguments: list[ast.expr]) -> Value:
        match name, arguments:
            case "IF", [condition, *branches] if len(branches) in (1, 2):
                chosen = [self._evaluate(branch) for branch in branches]
                return self._choose(self._evaluate(condition), chosen[0], chosen[1] if len(chosen) == 2 else None)
            case "FILL", [metric, filling]:
                filler = self._evaluate(filling)
                return [
                    self._pick(filler, period) if value is None else value
                    for period, value in enumerate(self._spread(self._evaluate(metric)))
                ]
        reducer = _REDUCERS[name]
        if len(arguments) != 1:
            raise KeyError(name)
        match arguments[0]:
            case ast.List(elts=items):
                many = [self._spread(self._evaluate(item)) for item in items]
            case ast.Call(func=ast.Name(id="METRICS"), args=[]):
                many = list(self._series.values())
            case argument:
                known = [value for value in self._spread(self._evaluate(argument)) if value is not None]
                return reducer(known) if known else [None] * self._periods
        columns = [[value for value in column if value is not None] for column in zip(*many, strict=True)]
        return [reducer(column) if column else None for column in columns]

    def _choose(self, condition: Value, then: Value, otherwise: Value | None) -> Value:
        chosen: list[float | None] = []
        for period, holds in enumerate(self._spread(condition)):
            branch = then if holds else otherwise
            chosen.append(None if holds is None or branch is None else self._pick(branch, period))
        return chosen

    def _combine(self, operate: Callable[[float, float], float], left: Value, right: Value) -> Value:
        if not isinstance(left, Sequence) and not isinstance(right, Sequence) and not _is_undefined(operate, right):
            return float(operate(left, right))
        pairs = zip(self._spread(left), self._spread(right), strict=True)
        return [None if a is None or b is None or _is_undefined(operate, b) else float(operate(a, b)) for a, b in pairs]

    def _spread(self, value: Value) -> Series:
        return value if isinstance(value, Sequence) else [value] * self._periods

    def _pick(self, value: Value, period: int) -> float | None:
        return value[period] if isinstance(value, Sequence) else value


def _is_undefined(operate: Callable[[float, float], float], right: float) -> bool:
    return operate is operator.truediv and right == 0
