"""The tables of controls in docs/evidence.md."""

from collections.abc import Iterator

from rotation_guard.domain.audit.controls import CONFIG_RULES, CONTROLS, SECURITY_HUB

HEADS = ("framework", "control", "asks", "related by", "evidence")
RULE_HEADS = ("Security Hub", "rule of AWS Config")


def list_controls() -> Iterator[tuple[str, ...]]:
    """A row for each control, with the source behind whoever relates it."""
    for control in CONTROLS:
        yield (
            control.framework,
            control.identifier,
            control.asks,
            f"[{control.related_by}]({control.source})",
            control.evidence,
        )


def list_config_rules() -> Iterator[tuple[str, ...]]:
    """A row for each of AWS's checks of rotation."""
    rules = "https://docs.aws.amazon.com/config/latest/developerguide"
    for check, rule in CONFIG_RULES.items():
        yield f"[{check}]({SECURITY_HUB})", f"[{rule}]({rules}/{rule}.html)"
