"""Texts as sentences have them."""


def capitalize_first(text: str) -> str:
    """The text with a capital at its beginning; what follows, such as a name, stays as it is."""
    return text[:1].upper() + text[1:]
