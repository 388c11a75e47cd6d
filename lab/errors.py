"""The error of the lab and of the test harness."""


class LabError(Exception):
    """Its text says what is wrong and what was expected."""
