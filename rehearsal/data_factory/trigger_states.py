"""What the service knows of a trigger beside its definition: since when it runs, and how its events are subscribed.

Subscriptions take their time in the service: a state between lasts until a client has asked for it `_ASKED` times, so that
a client that does not wait is found out, and a test needs no clock.
"""

from __future__ import annotations

from typing import Any

from rehearsal.resource_manager.identifiers import fold
from rehearsal.store import Store

Json = Any
# What follows a state between two others (states: EventSubscriptionStatus of azure-mgmt-datafactory).
RESTLESS = {"Provisioning": "Enabled", "Deprovisioning": "Disabled"}
_ASKED = 1


class TriggerStates:
    """By the trigger's id, without regard to case."""

    def __init__(self, store: Store) -> None:
        self._kept = store.collection("data_factory/trigger_states")
        self._clock = store.collection("data_factory/clock")

    def subscription(self, trigger_id: str) -> str:
        """The state of the event subscription; nothing moves on by this look."""
        return str(self._state(trigger_id).get("subscription", "Disabled"))

    def ask(self, trigger_id: str) -> str:
        """The state as a client is told it; one that is between two others moves on when it was told often enough."""
        state = self._state(trigger_id)
        told = str(state.get("subscription", "Disabled"))
        if told in RESTLESS:
            state["asked"] = state.get("asked", 0) + 1
            if state["asked"] > _ASKED:
                told = RESTLESS[told]
                state |= {"subscription": told, "asked": 0}
            self._kept[fold(trigger_id)] = state
        return told

    def begin(self, trigger_id: str, subscription: str) -> None:
        """Go into a state between two others."""
        self._kept[fold(trigger_id)] = self._state(trigger_id) | {"subscription": subscription, "asked": 0}

    def fired_until(self, trigger_id: str) -> float | None:
        """Seconds since the epoch up to which a running schedule has fired."""
        found: float | None = self._state(trigger_id).get("fired_until")
        return found

    def set_fired_until(self, trigger_id: str, moment: float) -> None:
        self._kept[fold(trigger_id)] = self._state(trigger_id) | {"fired_until": moment}

    def moved_to(self) -> float:
        """How far schedules were moved, in seconds since the epoch; 0 when they never were."""
        return float(self._clock.get("moved_to", 0.0))

    def move(self, moment: float) -> None:
        self._clock["moved_to"] = max(moment, self.moved_to())

    def forget(self, trigger_id: str) -> None:
        self._kept.pop(fold(trigger_id), None)

    def _state(self, trigger_id: str) -> dict[str, Json]:
        return dict(self._kept.get(fold(trigger_id)) or {})
