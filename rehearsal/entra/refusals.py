"""What the token endpoint says no with."""

from __future__ import annotations


class TokenError(Exception):
    """A refusal of the token endpoint: OAuth error, AADSTS number, sentence, HTTP status."""

    def __init__(self, error: str, number: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.error, self.number, self.text, self.status = error, number, text, status


def missing(parameter: str) -> TokenError:
    return TokenError(
        "invalid_request", 900144, f"The request body must contain the following parameter: '{parameter}'."
    )
