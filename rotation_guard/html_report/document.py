"""The page of any other report: its sentences, facts and tables, without charts and without a script."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from .templating import hash_source, load_templates, read_template


@dataclass(frozen=True)
class Table:
    """Named columns, and rows of plain values, of which None is empty."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True)
class Document:
    """Everything that the page shows; what is empty has no place on it."""

    source: str
    """What is reported, and the time that the report is about."""
    answer: str
    """The result in one sentence."""
    summary: str
    """The rows, counted, in a sentence; may be the same as the answer."""
    title: str = ""
    """Whom or what the facts and tables are about."""
    facts: Sequence[tuple[str, str]] = ()
    """A label and its text."""
    links: Sequence[tuple[str, str]] = ()
    """A label and its address or ARN; only an address of HTTPS is a link."""
    tables: Sequence[Table] = ()
    next_steps: str = ""
    warnings: Sequence[str] = ()
    """Why the report may be wrong or incomplete, one sentence each."""
    provenance: Sequence[tuple[str, str]] = ()
    """What the report is based on and who made it: a label and its text."""


def render_document(document: Document) -> str:
    """The page as one HTML document in UTF-8, without references and without scripts."""
    style = read_template("page.css")
    return (
        load_templates()
        .get_template("document.html")
        .render(document=document, style=Markup(style), style_hash=hash_source(style))  # noqa: S704 - of this package
    )
