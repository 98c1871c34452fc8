"""DynamoDB's condition and update expressions, as far as the product uses them, on items in DynamoDB's notation.

(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html)
"""

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

Item = dict[str, Any]
_TOKEN = re.compile(r"\s*([#:]?\w+|<>|<=|>=|[-+=<>(),])")
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CLAUSES = ("SET", "REMOVE", "ADD", "DELETE")


class Malformed(Exception):
    """DynamoDB would reject this with a ValidationException."""


class Expression:
    """One expression on one item, with the names and values that it may use."""

    def __init__(self, text: str, stored: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> None:
        self._tokens = list(_tokens(text))
        self._stored, self._names, self._values = stored, names, values

    def holds(self) -> bool:
        """Whether the item meets the condition."""
        answer = self._either()
        if self._tokens:
            raise Malformed(f"left over: {self._tokens}")
        return answer

    def updated(self) -> Item:
        """The item after the update; every operand is read before anything is written."""
        changed = dict(self._stored)
        while self._tokens:
            clause = self._take()
            if clause not in _CLAUSES:
                raise Malformed(f"no clause: {clause}")
            while True:
                {"SET": self._set, "REMOVE": self._remove, "ADD": self._add, "DELETE": self._delete}[clause](changed)
                if not self._tokens or self._tokens[0] != ",":
                    break
                self._take(",")
        return changed

    # --- conditions ---

    def _either(self) -> bool:
        answer = self._both()
        while self._tokens and self._tokens[0] == "OR":
            self._take()
            answer = self._both() or answer
        return answer

    def _both(self) -> bool:
        answer = self._single()
        while self._tokens and self._tokens[0] == "AND":
            self._take()
            answer = self._single() and answer
        return answer

    def _single(self) -> bool:
        if self._tokens[0] == "NOT":
            self._take()
            return not self._single()
        if self._tokens[0] == "(":
            self._take()
            answer = self._either()
            self._take(")")
            return answer
        return self._function() if self._tokens[1:2] == ["("] else self._comparison()

    def _function(self) -> bool:
        name = self._take()
        self._take("(")
        subject = self._operand()
        argument = None
        if self._tokens[0] == ",":
            self._take()
            argument = self._operand()
        self._take(")")
        match name:
            case "attribute_exists":
                return subject is not None
            case "attribute_not_exists":
                return subject is None
            case "contains":
                return subject is not None and plain(argument) in plain(subject)
            case "begins_with":
                return subject is not None and plain(subject).startswith(plain(argument))
        raise Malformed(f"no function: {name}")

    def _comparison(self) -> bool:
        left, sign, right = self._operand(), self._take(), self._operand()
        if sign == "BETWEEN":
            self._take("AND")
            end = self._operand()
            return left is not None and plain(right) <= plain(left) <= plain(end)
        if left is None or right is None or set(left) != set(right):
            return sign == "<>" and left is not None
        return _COMPARISONS[sign](plain(left), plain(right))

    # --- updates ---

    def _set(self, changed: Item) -> None:
        name = self._name(self._take())
        self._take("=")
        value = self._term()
        if self._tokens and self._tokens[0] in "+-":
            sign = 1 if self._take() == "+" else -1
            value = {"N": str(plain(value) + sign * plain(self._term()))}
        if value is None:
            raise Malformed(f"{name} is set to an attribute that is not there")
        changed[name] = value

    def _term(self) -> Any:
        if self._tokens[1:2] != ["("]:
            return self._operand()
        function = self._take()
        self._take("(")
        first = self._term()
        self._take(",")
        second = self._term()
        self._take(")")
        if function == "if_not_exists":
            return second if first is None else first
        if function != "list_append" or first is None or second is None:
            raise Malformed(f"no value: {function}")
        return {"L": [*first["L"], *second["L"]]}

    def _remove(self, changed: Item) -> None:
        changed.pop(self._name(self._take()), None)

    def _add(self, changed: Item) -> None:
        name, added = self._name(self._take()), self._operand()
        [(kind, content)] = added.items()
        before = self._stored.get(name)
        if kind == "N":
            changed[name] = {"N": str(plain(before or {"N": "0"}) + plain(added))}
        else:
            changed[name] = {kind: sorted({*(before or {kind: []})[kind], *content})}

    def _delete(self, changed: Item) -> None:
        name, removed = self._name(self._take()), self._operand()
        [(kind, content)] = removed.items()
        left = sorted(set(self._stored.get(name, {kind: []})[kind]).difference(content))
        changed.pop(name, None)
        if left:
            changed[name] = {kind: left}

    # --- words ---

    def _operand(self) -> Any:
        word = self._take()
        if not word.startswith(":"):
            return self._stored.get(self._name(word))
        if word not in self._values:
            raise Malformed(f"no value for {word}")
        return self._values[word]

    def _name(self, word: str) -> str:
        if not word.startswith("#"):
            return word
        if word not in self._names:
            raise Malformed(f"no name for {word}")
        return self._names[word]

    def _take(self, expected: str | None = None) -> str:
        word = self._tokens.pop(0)
        if expected is not None and word != expected:
            raise Malformed(f"expected {expected}, got {word}")
        return word


def check_placeholders(request: Mapping[str, Any]) -> None:
    """Checks DynamoDB's rule that a request uses exactly the placeholders that it defines."""
    text = " ".join(value for name, value in request.items() if name.endswith("Expression"))
    used = set(re.findall(r"[#:]\w+", text))
    defined = {*request.get("ExpressionAttributeNames", {}), *request.get("ExpressionAttributeValues", {})}
    if used != defined:
        raise Malformed(f"defined and not used, or used and not defined: {sorted(used ^ defined)}")


def plain(stored: Any) -> Any:
    """A stored value as Python compares it."""
    [(kind, content)] = stored.items()
    match kind:
        case "N":
            return Decimal(content)
        case "SS":
            return frozenset(content)
        case "L":
            return [plain(item) for item in content]
        case "M":
            return {name: plain(value) for name, value in content.items()}
    return content


@cache
def _tokens(text: str) -> tuple[str, ...]:
    tokens, position = [], 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise Malformed(f"cannot be read: {text[position:]}")
        tokens.append(match[1])
        position = match.end()
    return tuple(tokens)
