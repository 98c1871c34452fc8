"""Writes the table of components in docs/reuse.md, from their published schema."""

import json

from docs.markdown import table


def write_components(schema: str) -> str:
    """Each component with the first sentence about it, and the inputs that it requires."""
    rows = []
    for token, resource in json.loads(schema)["resources"].items():
        required = ", ".join(f"`{name}`" for name in resource["requiredInputs"])
        sentence = resource["description"].partition(". ")[0].rstrip(".")
        rows.append((f"`{token.rpartition(':')[2]}`", f"{sentence}.", required))
    return table(("component", "what it is", "required inputs"), rows)
