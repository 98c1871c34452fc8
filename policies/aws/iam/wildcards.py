"""Compares texts with IAM's patterns, in which `*` matches any text and `?` one character.

(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html)
"""

from fnmatch import fnmatchcase


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern matches a text, case-sensitively, as in ARNs."""
    if "*" not in pattern and "?" not in pattern:
        return pattern == text
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def covers(pattern: str, other: str) -> bool:
    """Whether a pattern matches everything that another one matches."""
    return matches(pattern, other.replace("*", _ANYTHING).replace("?", _ANYTHING[0]))


def overlap(pattern: str, other: str) -> bool:
    """Whether some text matches both patterns."""
    # Positions in the other pattern that some text reaches so far.
    reached = _with_empty_stars(other, {0})
    for sign in pattern:
        if sign == "*":
            reached = set(range(min(reached), len(other) + 1)) if reached else reached
        else:
            reached = _with_empty_stars(other, _step(other, reached, sign))
    return len(other) in reached


def _step(pattern: str, reached: set[int], sign: str) -> set[int]:
    """The positions after one more character; `?` is any character."""
    following = set()
    for state in reached:
        if state < len(pattern):
            if pattern[state] == "*":
                following.add(state)
            elif "?" in (pattern[state], sign) or pattern[state] == sign:
                following.add(state + 1)
    return following


def _with_empty_stars(pattern: str, reached: set[int]) -> set[int]:
    waiting, states = list(reached), set(reached)
    while waiting:
        state = waiting.pop()
        if state < len(pattern) and pattern[state] == "*" and state + 1 not in states:
            states.add(state + 1)
            waiting.append(state + 1)
    return states


_ANYTHING = "\x00" * 64
"""Placeholder for the text of a wildcard, which no literal text matches."""
