"""The runtime's own part of a call."""


def handler(event: object, context: object) -> dict[str, object]:
    """Do nothing."""
    return {}
