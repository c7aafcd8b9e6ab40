"""What belongs to a notebook and not to the process, because notebooks run beside each other in one process."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class PerNotebook(Generic[T]):
    """A value that each notebook has for itself.

    A notebook is known by the thread that runs its cells; threads that it starts see the value of the task's own
    notebook.
    """

    def __init__(self, first: T) -> None:
        self._first = first
        self._by_thread: dict[int, T] = {}

    def get(self) -> T:
        """The value of the notebook that asks."""
        return self._by_thread.get(threading.get_ident(), self._first)

    def set(self, value: T) -> None:
        """Changes the value of the notebook that asks."""
        if threading.get_ident() in self._by_thread:
            self._by_thread[threading.get_ident()] = value
        else:
            self._first = value

    def enter(self, value: T) -> None:
        """This thread runs a notebook of its own from here on."""
        self._by_thread[threading.get_ident()] = value

    def leave(self) -> None:
        """This thread's notebook has ended."""
        self._by_thread.pop(threading.get_ident(), None)
