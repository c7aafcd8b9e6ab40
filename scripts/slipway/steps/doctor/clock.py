"""Whether this machine's clock is right enough: tokens and leases are dated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from slipway.domain.diagnosis import Finding
from slipway.services.resource_manager.reading import NotLetIn
from slipway.steps.doctor import facts
from slipway.steps.doctor.examination import Check, Examination, NotSeen, Said

# What Entra ID and the services behind it tolerate is not documented for each; five minutes is the usual bound
# (clock skew of tokens, https://learn.microsoft.com/dotnet/api/microsoft.identitymodel.tokens.tokenvalidationparameters.defaultclockskew).
_MOST = 300.0


def checks(examination: Examination) -> list[Check]:
    return [Check(title="the clock", look=partial(_clock, examination))]


def _clock(examination: Examination) -> Iterator[Said]:
    with suppress(NotLetIn, NotSeen):  # a refusal has a time, too
        facts.subscription(examination)
    ahead = examination.azure.ahead
    if ahead is None:
        raise NotSeen("no service said what time it is")
    if abs(ahead) > _MOST:
        late = "slow" if ahead > 0 else "fast"
        yield Finding(
            id="clock.skew",
            what=f"This machine's clock is {abs(ahead) / 60:.0f} minutes {late} against Azure's.",
            why="Tokens are refused before and after their time, and a claim would seem to have ended that has not.",
            mend="sudo timedatectl set-ntp true",
            who="an administrator of this machine",
        )
