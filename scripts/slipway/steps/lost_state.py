"""An environment without a state that was released to before: its state was lost, so it is no new environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipway.domain.archive import RELEASES
from slipway.domain.state import REPAIR, STATE_BLOB
from slipway.errors import StateDamaged

if TYPE_CHECKING:
    from slipway.steps.session import Session


def refuse_lost(session: Session) -> None:
    """Raises StateDamaged where the archive holds a release: each publishing puts one there. One request, only where there
    is no state; the workspace is not asked, for the first steps of an environment come before it can be reached."""
    kept = session.store.list(RELEASES)
    if kept:
        where = session.environment.azure.state
        raise StateDamaged(
            f"The state of {session.environment.name} is lost: there is no {STATE_BLOB} in {where.storage_account}/"
            f"{where.container}, but there are {len(kept)} archived releases.",
            changed="Nothing was changed.",
            next_step=REPAIR,
        )
