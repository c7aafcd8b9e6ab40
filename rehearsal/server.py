"""Run the stand-ins on a thread of their own, so that the agent can run the pipeline in front of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from rehearsal.compose import LocalAzure

Result = TypeVar("Result")


class Server:
    """Starts and stops a composed Azure. Everything that touches it goes through `call` or `run`, onto its one event loop."""

    def __init__(self, build: Callable[[], LocalAzure]) -> None:
        self._build = build
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stand-ins", daemon=True)
        self._azure: LocalAzure | None = None

    @property
    def azure(self) -> LocalAzure:
        if self._azure is None:
            raise RuntimeError("the stand-ins are not started")
        return self._azure

    def start(self) -> LocalAzure:
        """Build and start everything but Azurite, which starts with the first request for storage.

        Raises what the parts raise: PortInUse, AzuriteFailed when it is not installed, DamagedStore.
        """
        self._thread.start()

        async def begin() -> LocalAzure:
            azure = self._build()
            try:
                azure.azurite.check()
                await azure.gateway.start()
            except BaseException:
                await _end(azure)
                raise
            azure.exports.update(azure.gateway.exports())
            return azure

        self._azure = self.run(begin())
        return self._azure

    def stop(self) -> None:
        """Stop everything; a second call does nothing."""
        if self._azure is not None:
            azure, self._azure = self._azure, None
            self.run(_end(azure))
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of a coroutine on the stand-ins' loop; called from another thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def call(self, function: Callable[[], Result]) -> Result:
        """The result of a function called on the stand-ins' loop."""

        async def calling() -> Result:
            return function()

        return self.run(calling())


async def _end(azure: LocalAzure) -> None:
    await azure.gateway.stop()
    for close in azure.closing:
        await close()
    await azure.azurite.stop()
    azure.world.store.close()
