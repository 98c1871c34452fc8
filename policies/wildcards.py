"""Compares texts with IAM's patterns, in which `*` stands for anything and `?` for one character.

(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html)
"""

from fnmatch import fnmatchcase


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern takes in a text. Case counts, as in ARNs: where it does not, give both in lower case."""
    if "*" not in pattern and "?" not in pattern:
        return pattern == text
    return fnmatchcase(text, pattern.replace("[", "[[]"))
