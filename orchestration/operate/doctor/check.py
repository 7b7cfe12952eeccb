"""What one look of the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How something stands, in the word that people see."""

    FINE = "ok"
    OFF = "not set up"
    DOUBTFUL = "look"
    WRONG = "wrong"


@dataclass(frozen=True)
class Check:
    """One line of the table: whose, what, how it stands, and the sentence that mends it.

    `whose` is a shop id, or `here` for what belongs to this machine.
    """

    whose: str
    what: str
    state: State
    found: str
    mend: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether something that is set up does not work."""
        return self.state is State.WRONG
