"""What the lab tells its user when it cannot go on."""


class LabError(Exception):
    """Its text says what is missing or wrong and what would be right."""
