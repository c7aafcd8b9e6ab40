"""One function of the language: how many arguments it takes, and what it does with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = Any
MANY = 10_000


@dataclass(frozen=True)
class Function:
    call: Callable[..., Json]
    least: int
    most: int

    def expected(self) -> str:
        if self.most == MANY:
            return f"at least {self.least} parameter(s)"
        if self.least == self.most:
            return f"{self.least} parameter(s)"
        return f"{self.least} to {self.most} parameters"
