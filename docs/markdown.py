"""Markdown that is written by programs."""

import re
from collections.abc import Iterable, Mapping


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table with these heads."""
    heads = tuple(heads)
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def filled(page: str, parts: Mapping[str, str]) -> str:
    """The page with each part between its markers, `<!-- begin NAME: ... -->` and `<!-- end NAME -->`."""
    for name, part in parts.items():
        page = re.sub(
            rf"(<!-- begin {name}: [^\n]*-->\n).*?(<!-- end {name} -->)",
            lambda match, part=part: f"{match[1]}\n{part}\n{match[2]}",
            page,
            flags=re.DOTALL,
        )
    return page
