"""The one exception that people see as a sentence."""


class HealthError(Exception):
    """Something the user can put right. The text is one clear sentence; the CLI exits with 1."""
