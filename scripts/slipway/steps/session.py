"""What the steps of a release share: the state with its compare-and-swap, the claim, the workspace."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from slipway.command import Context
from slipway.domain import claim as claims
from slipway.domain import freeze as freezes
from slipway.domain.claim import Claim, Held, Holder
from slipway.domain.codec import Damaged
from slipway.domain.environment import Environment
from slipway.domain.slot import slot_path
from slipway.domain.state import STATE_BLOB, State, read_state, write_state
from slipway.errors import Conflict, NotPossible, ServiceError, SlipwayError, StateMoved, saying
from slipway.log import Log
from slipway.steps.auditing import claim_noted
from slipway.steps.claiming import Turn, wait_out
from slipway.steps.lost_state import refuse_lost

if TYPE_CHECKING:
    from slipway.services.audit import AuditTable
    from slipway.services.data_factory import DataFactory
    from slipway.services.databricks import Workspace
    from slipway.services.storage import StateStore

T = TypeVar("T")

_ATTEMPTS = 5
BATCH = 64
"""Changes that are handed out together; each looks at the claim before it is made."""


class Session:
    """One step's work on one environment. Not for several threads at once, except `workspace` and `store`.

    `connect_factory` is called when the factory is first needed: most steps of most environments never do.
    """

    def __init__(
        self,
        context: Context,
        store: StateStore,
        workspace: Workspace,
        holder: Holder,
        audit: AuditTable,
        connect_factory: Callable[[], DataFactory] | None = None,
    ) -> None:
        self.context = context
        self.store = store
        self.workspace = workspace
        self.holder = holder
        self._connect_factory = connect_factory
        self._factory: DataFactory | None = None
        self.audit = audit
        self.began = self.now()
        self.told: set[str] = set()
        self.keeps_claim = False
        """Whether the claim outlives a switch that is complete: another one follows under it."""
        self.opened: float | None = None
        """When this step opened a switch, by its own clock: finer than the storage's, and good for what it measures itself."""
        self.job_times: list[float] = []
        """When jobs were begun to be set, and were."""
        self.just_read: tuple[float, Mapping[str, Mapping[str, Any] | None]] | None = None
        """When this step read the jobs for the journal, and what they were, by key."""
        self.commit = ""
        self.aim = ""
        """The version that a rollback goes to, once it is known: what the audit is told then is about that."""
        self.number = 0
        self._state: State | None = None
        self._etag: str | None = None
        self._looked = 0.0
        self._looking = threading.RLock()

    @property
    def environment(self) -> Environment:
        return self.context.environment

    @property
    def log(self) -> Log:
        return self.context.log

    @property
    def state(self) -> State:
        """The state as last read or written."""
        return self._state if self._state is not None else self.load()

    @property
    def factory(self) -> DataFactory:
        """The environment's data factory; no request yet."""
        if self._factory is None:
            if self._connect_factory is None:
                raise AssertionError("this session has no data factory")
            self._factory = self._connect_factory()
        return self._factory

    def now(self) -> float:
        return self.context.clock()

    def service_time(self) -> float:
        """The time by the state storage's clock: the one that all agents share, so the one that claims are timed by."""
        return self.now() + self.store.ahead

    @property
    def contested(self) -> bool:
        """Whether this run has the claim from one that did not give it back, and may still wake up and write."""
        claim = self.state.claim
        return claim is not None and claim.holder == self.holder.id and bool(claim.taken_from)

    def slot_folder(self, slot: Any) -> str:
        return slot_path(self.environment.databricks.root, slot)

    def load(self) -> State:
        """Reads the state; an environment that never had one gets an empty one (not written yet)."""
        asked = self.now()  # what is answered may be as old as that: an agent may be asleep while it waits
        found = self.store.read(STATE_BLOB)
        app, name = self.environment.app, self.environment.name
        self._looked = asked
        if found is None:
            refuse_lost(self)
            self._state, self._etag = State(app=app, environment=name), None
        else:
            self._state, self._etag = read_state(found[0], app=app, environment=name), found[1]
        return self._state

    def update(self, change: Callable[[State], State]) -> State:
        """Applies `change` by compare-and-swap; when somebody else was faster, to what they wrote. `change` raises
        where it no longer makes sense."""
        for attempt in range(_ATTEMPTS):
            before = self.state
            after = change(before)
            if after == before:
                return before
            after = replace(after, serial=before.serial + 1, written_by=f"{self.holder.id} {secrets.token_hex(4)}")
            asked, data = self.now(), write_state(after)
            try:
                self._etag = self.store.write(STATE_BLOB, data, etag=self._etag)
            except StateMoved:
                if attempt == _ATTEMPTS - 1:
                    raise
                self.load()
                continue
            # As it will be read again: times are kept in milliseconds, and a journal must be known again.
            self._state, self._looked = read_state(data, app=after.app, environment=after.environment), asked
            return self._state
        raise AssertionError("unreachable")

    def update_ours(self, change: Callable[[State], State]) -> State:
        """As `update`, refused when the claim is no longer ours."""

        def checked(state: State) -> State:
            claims.require(state.claim, holder=self.holder.id, number=self.number, now=self.service_time())
            return change(state)

        if not self._fresh:
            self.load()  # to say who has the claim, and not only that it must have expired
        return self.update(checked)

    def guard(self) -> None:
        """To be called before each change of anything but the state. Raises Conflict when the claim is lost, ServiceError
        where the state takes longer to read than a look at it is good for."""
        with self._looking:
            self._guard()

    def _guard(self) -> None:
        for _ in range(_ATTEMPTS):
            if not self._fresh:
                self.load()
                continue
            held, now = self.state.claim, self.service_time()
            claims.require(held, holder=self.holder.id, number=self.number, now=now)
            if held is not None and now - held.heartbeat > claims.RENEW_AFTER:
                self.update_ours(partial(_renewed, now=now))
            if self._fresh:
                return
        raise ServiceError(
            f"The state of {self.environment.name} takes more than {claims.LOOK_AFTER:.0f} seconds to read or write, so it "
            "can't be known whether the claim is still held.",
            changed="What was done before stays; nothing is changed after this.",
            next_step="Look at the network between this machine and the state's storage account, then run the step again.",
        )

    @property
    def _fresh(self) -> bool:
        """Whether the last look at the claim is good enough for a change."""
        return self.now() - self._looked <= claims.LOOK_AFTER

    def concurrently(self, calls: Iterable[Callable[[], T]], what: str = "") -> list[T]:
        """Runs changes several at a time, looking at the claim before each; results in order.

        Before each, since an agent may be asleep in the middle of a batch: what it has not sent yet stays unsent.
        """

        def looked(call: Callable[[], T]) -> T:
            self.guard()
            return call()

        work = [partial(looked, call) for call in calls]
        results: list[T] = []
        for start in range(0, len(work), BATCH):
            self.guard()
            results += self.workspace.concurrently(work[start : start + BATCH])
            if what:
                self.log.progress(len(results), len(work), what)
        return results

    def keep(self, name: str, data: bytes) -> None:
        """Stores a document in the archive, under the claim."""
        self.guard()
        self.store.put_bytes(name, data)

    def take_claim(self, *, despite_freeze: bool = False) -> None:
        """Takes or renews the claim, after waiting for it as long as --wait says.

        Raises Held with its holder, and Conflict with the message of a freeze: no waiting and no taking over helps there.
        """
        take_over = bool(getattr(self.context.arguments, "take_over", False))
        former: Claim | None = None

        def taking(state: State) -> State:
            nonlocal former  # as it is in the state that is written: somebody may have taken it just before
            former, now = state.claim, self.service_time()
            if not despite_freeze:
                freezes.require_none(state.freeze, environment=self.environment.name, now=now)
            held = claims.take(
                state.claim,
                state.fence,
                self.holder,
                now=now,
                switching=state.switch is not None,
                take_over=take_over,
                mine=self.number,
            )
            return claim_noted(self, state, replace(state, claim=held, fence=max(state.fence, held.number)))

        turn, before = Turn(self), self.number
        while True:
            self.load()
            try:
                self.update(taking)
                break
            except Held as held:
                turn.wait(held)
        self.number = self.state.fence if self.state.claim is None else self.state.claim.number
        if former is not None and claims.is_taken_from_work(former, self.holder, mine=before):
            self.log.warning(
                f"The claim was taken from {former.who}, releasing {former.release} ({former.run})."
                if former.holder != self.holder.id
                else f"An earlier step of this run ({former.run}) has not said that it ended."
            )
            wait_out(self, former)
        if freezes.in_force(self.state.freeze, now=self.service_time()) and self.state.freeze is not None:
            self.log.warning(
                f"{self.environment.name} is {freezes.describe(self.state.freeze)}. This goes on despite it."
            )

    def release_claim(self) -> None:
        """Gives the claim back where it is ours: this step's where it took one, else that of its run."""

        def giving_back(state: State) -> State:
            if self.number and state.claim is not None and state.claim.number != self.number:
                return state
            return without_claim(state, self.holder.id)

        self.update(giving_back)

    @contextmanager
    def claimed(self, *, despite_freeze: bool = False, keep: bool = True) -> Iterator[None]:
        """Holds the claim; keeps it when the work succeeds (later steps need it), gives it back when it fails.

        Without `keep` it is given back at the end as well, unless an earlier step of the same run took it. An open
        switch does not need the claim to be safe: whoever takes it next finishes that or takes it back.
        """
        with saying("Nothing was changed."):
            former = self.load().claim
            self.take_claim(despite_freeze=despite_freeze)
        try:
            yield
        except BaseException as error:
            self._give_back(error)
            raise
        if not keep and (former is None or former.holder != self.holder.id):
            self.release_claim()
        else:
            self._end_step()

    def _end_step(self) -> None:
        """Says with the claim that this step has ended, so that the next one need not wait for it."""

        def ending(state: State) -> State:
            return replace(state, claim=state.claim and claims.ended(state.claim, self.number))

        try:
            self.update(ending)
        except SlipwayError as error:
            self.log.detail(f"The next step will wait a moment for this one to have ended: {error.what}")

    def _give_back(self, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt | Exception):
            try:
                self.load()
                self.release_claim()
            except SlipwayError as also:
                self.log.warning(f"The claim could not be given back: {also.what}")

    def document(self, name: str, read: Callable[[bytes], T]) -> T:
        """A document of the archive. Raises NotPossible when it is missing or damaged."""
        try:
            return read(self.store.get_bytes(name))
        except Damaged as error:
            raise NotPossible(
                f"{name} in the archive of {self.environment.name} is damaged: {error}.",
                next_step="Release a good version instead.",
            ) from error

    def refuse_open_switch(self) -> None:
        journal = self.state.switch
        if journal is not None:
            raise Conflict(
                f"A switch to {journal.version} is open in {self.environment.name}.",
                changed="Nothing was changed.",
                next_step="Run scripts/switch_slot.py --revert to take it back.",
            )


def _renewed(state: State, *, now: float) -> State:
    return replace(state, claim=state.claim and claims.renew(state.claim, now=now))


def without_claim(state: State, holder: str) -> State:
    return replace(state, claim=None) if state.claim is not None and state.claim.holder == holder else state


def holder_of(variables: Mapping[str, str], release: str, *, machine: str = "", terminal: str = "") -> Holder:
    """Who this run is: the same for every job of one run (predefined variables of Azure Pipelines,
    https://learn.microsoft.com/azure/devops/pipelines/build/variables, and of GitHub Actions,
    https://docs.github.com/actions/reference/workflows-and-actions/variables), or the person at the keyboard of `machine`, in
    one of its terminals: each is a holder of its own."""
    if variables.get("GITHUB_ACTIONS", "").lower() == "true" and variables.get("GITHUB_RUN_ID"):
        server, repository = variables.get("GITHUB_SERVER_URL", ""), variables.get("GITHUB_REPOSITORY", "")
        run = f"{server}/{repository}/actions/runs/{variables['GITHUB_RUN_ID']}"
        return Holder(id=run, release=release, run=run, who=variables.get("GITHUB_ACTOR") or "GitHub Actions")
    build = variables.get("BUILD_BUILDID")
    if in_pipeline(variables) and build:
        collection = variables.get("SYSTEM_COLLECTIONURI", "").rstrip("/")
        project = quote(variables.get("SYSTEM_TEAMPROJECT", ""))
        run = f"{collection}/{project}/_build/results?buildId={build}"
        who = variables.get("BUILD_REQUESTEDFOR") or "Azure Pipelines"
        return Holder(id=run, release=release, run=run, who=who)
    user = variables.get("USER") or variables.get("USERNAME") or "somebody"
    run = f"by hand, {user} on {machine or 'a machine'}"
    return Holder(id=f"{run}, {terminal}" if terminal else run, release=release, run=run, who=user)


def this_terminal() -> str:
    """What scripts that are typed into one terminal have in common, and no others on this machine: the session of their
    processes, which Windows does not have."""
    return f"session {os.getsid(0)}" if hasattr(os, "getsid") else f"console of process {os.getppid()}"


def in_pipeline(variables: Mapping[str, str]) -> bool:
    """Whether this is a step of a run, whose later steps need the claim; by hand each script is on its own."""
    return any(variables.get(name, "").lower() == "true" for name in ("TF_BUILD", "GITHUB_ACTIONS"))


def open_session(context: Context, release: str) -> Session:
    """Connects to the environment's state storage and workspace (no request yet); `release`: the version it is for."""
    from slipway.services.audit import AuditTable
    from slipway.services.credentials import credential
    from slipway.services.databricks import connect
    from slipway.services.storage import StateStore

    identity = credential(context.variables)
    where = context.environment.azure.state
    holder = holder_of(context.variables, release, machine=socket.gethostname(), terminal=this_terminal())
    store = StateStore(where.storage_account, where.container, identity, clock=context.clock)
    workspace = connect(context.environment, identity, context.variables)

    def connect_factory() -> DataFactory:
        from slipway.services.data_factory import DataFactory

        azure = context.environment.azure
        name = context.environment.resources.data_factory
        return DataFactory(identity, azure.subscription_id, azure.resource_group, name, sleep=context.sleep)

    audit = AuditTable(where.storage_account, identity)
    return Session(context, store, workspace, holder, audit, connect_factory)
