"""Draws the README's diagram, once for light and once for dark pages."""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent
FILES: Mapping[str, Mapping[str, str]] = {
    "diagram-light.svg": {"text": "#1f2328", "line": "#59636e", "box": "#f6f8fa", "accent": "#0969da"},
    "diagram-dark.svg": {"text": "#f0f6fc", "line": "#9198a1", "box": "#151b23", "accent": "#4493f8"},
}
"""The colours of each file."""
_WIDTH, _HEIGHT = 940, 330
_BOXES = {
    "secrets": (20, 90, 150, "Secrets Manager", "sends rotation events"),
    "rules": (210, 90, 150, "EventBridge", "rules on the default bus"),
    "failures": (420, 20, 200, "SNS: failures", "events as JSON, for programs"),
    "trail": (420, 90, 200, "SQS, Lambda", "records every event"),
    "workflow": (420, 160, 200, "Step Functions, Lambda", "wait, diagnose, probe, decide"),
    "trail_table": (680, 90, 240, "DynamoDB: audit trail", "every event, for 400 days"),
    "outcome": (680, 160, 240, "retry, roll forward, restart", "or escalate to the on-call engineer"),
    "schedule": (210, 240, 150, "Scheduler", "every hour"),
    "audit": (420, 240, 200, "Lambda: audit", "age of every value in use"),
    "status": (680, 240, 240, "DynamoDB: audit and status", "which secrets are overdue"),
}
"""Left, top, width, and two lines of text, by name."""
_ARROWS = [
    ("secrets", "rules"),
    ("rules", "failures"),
    ("rules", "trail"),
    ("rules", "workflow"),
    ("trail", "trail_table"),
    ("workflow", "outcome"),
    ("schedule", "audit"),
    ("audit", "status"),
]
_BOX_HEIGHT = 52
_DESCRIPTION = (
    "Events of Secrets Manager reach EventBridge rules. These notify SNS, record each event in DynamoDB, and start a "
    "Step Functions workflow that repairs or escalates. Every hour a schedule starts the audit of all secrets."
)


def draw(colours: Mapping[str, str]) -> str:
    """The diagram in these colours."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
            'aria-labelledby="title description" font-family="ui-sans-serif, system-ui, sans-serif">',
            '<title id="title">How rotation-guard works</title>',
            f'<desc id="description">{escape(_DESCRIPTION)}</desc>',
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path d="M0 0 8 4 0 8z" fill="{colours["line"]}"/></marker></defs>',
            *(_draw_arrow(start, end, colours) for start, end in _ARROWS),
            *(line for box in _BOXES.values() for line in _draw_box(*box, colours)),
            f'<text x="20" y="318" font-size="13" fill="{colours["line"]}">Dead-letter queues behind every target; '
            "CloudWatch alarms on all of this notify the critical topic.</text>",
            "</svg>",
            "",
        ]
    )


def _draw_box(left: int, top: int, width: int, title: str, text: str, colours: Mapping[str, str]) -> Iterator[str]:
    middle = left + width // 2
    yield (
        f'<rect x="{left}" y="{top}" width="{width}" height="{_BOX_HEIGHT}" rx="6" fill="{colours["box"]}" '
        f'stroke="{colours["accent"]}"/>'
    )
    yield (
        f'<text x="{middle}" y="{top + 22}" font-size="14" font-weight="600" text-anchor="middle" '
        f'fill="{colours["text"]}">{escape(title)}</text>'
    )
    yield (
        f'<text x="{middle}" y="{top + 40}" font-size="12" text-anchor="middle" fill="{colours["line"]}">'
        f"{escape(text)}</text>"
    )


def _draw_arrow(start: str, end: str, colours: Mapping[str, str]) -> str:
    left, top, width, *_ = _BOXES[start]
    right, bottom, *_ = _BOXES[end]
    x, y, to_y = left + width, top + _BOX_HEIGHT // 2, bottom + _BOX_HEIGHT // 2
    bend = (x + right) // 2
    return (
        f'<path d="M{x} {y}C{bend} {y} {bend} {to_y} {right} {to_y}" fill="none" stroke="{colours["line"]}" '
        'stroke-width="1.5" marker-end="url(#arrow)"/>'
    )
