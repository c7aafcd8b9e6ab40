"""What is to be removed of an environment, what stays and why, and what is in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from slipway.command import Context
from slipway.domain.environment import Environment
from slipway.errors import AuthenticationError, NotPossible, adding
from slipway.steps.bootstrap.report import Refusal, Report, counted

GOING_ON = "What stands above under Removing is removed; the same command goes on from there."


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One thing that Slipway made; `do` removes it, and is fine with its being gone. `who` may do it.

    `mark` "+": something that an earlier removal, which was cut, took away and is put back. `memory`: the next run knows by it
    what to do with the rest, so it stays where something before it was refused.
    """

    what: str
    do: Callable[[], None]
    who: str
    mark: str = "-"
    memory: bool = False


@dataclass
class Plan:
    """`others`: the other environments of this repository, with which things are shared."""

    others: tuple[Environment, ...]
    removals: list[Removal] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def remove(self, what: str, do: Callable[[], None], who: str, *, memory: bool = False) -> None:
        self.removals.append(Removal(what=what, do=do, who=who, memory=memory))

    def put_back(self, what: str, do: Callable[[], None], who: str) -> None:
        self.removals.append(Removal(what=what, do=do, who=who, mark="+"))

    def leave(self, what: str, why: str) -> None:
        self.left.append(f"{what}: {why}")

    def users(self, same: Callable[[Environment], object], environment: Environment) -> list[str]:
        """The names of the other environments that have the same of something."""
        wanted = same(environment)
        return [other.name for other in self.others if same(other) == wanted]

    def show(self, context: Context) -> None:
        """Everything, before anything is done."""
        for removal in self.removals:
            context.log.info(f"{removal.mark} {removal.what}")
        for text in self.left:
            context.log.info(f"= stays: {text}")

    def refuse_foreign(self, context: Context) -> None:
        """Raises NotPossible where something of other people would go with what Slipway made."""
        if self.foreign and not context.arguments.with_foreign:
            listed = "\n".join(f"  - {text}" for text in self.foreign)
            raise NotPossible(
                f"In what Slipway made for {context.environment.name} lies what it did not make:\n{listed}",
                changed="Nothing was removed.",
                next_step="Move it away first, or have it removed too: --with-foreign.",
            )


def carry_out(context: Context, plan: Plan) -> None:
    """Removes one thing after the other; what is refused does not stop the rest.

    Raises AuthenticationError at the end with what was refused.
    """
    report = Report()
    again = f"python scripts/remove_environment.py --environment {context.environment.name}"
    for removal in plan.removals:
        refusal = Refusal(what=f"remove {removal.what}", who=removal.who, mend=again)
        if removal.memory and report.refused:
            context.log.info(f"= {removal.what} stays till the rest is gone")
            report.refused.append(refusal)
            continue
        with report.part(context, refusal), adding(lambda: GOING_ON if report.done else ""):
            removal.do()
            context.log.info(f"{removal.mark} {removal.what}")
            report.done.append(removal.what)
    if report.refused:
        lines = [f"  - {one.what} ({one.who})" for one in report.refused]
        raise AuthenticationError(
            f"{counted(len(report.refused), 'part').capitalize()} of {context.environment.name} could not be removed.",
            changed="Everything else above is removed.",
            next_step="Somebody who may has to:\n" + "\n".join(lines) + f"\nThe command for it: {again}",
        )


def has_tags(resource: Mapping[str, object], marks: Mapping[str, str]) -> bool:
    """Whether a resource or group has these tags: what Slipway made has its own."""
    there = resource.get("tags") or {}
    return isinstance(there, dict) and all(there.get(name) == value for name, value in marks.items())


def needed_by(environments: list[str]) -> str:
    """Subject and verb: "test needs", "prod and test need"."""
    return f"{' and '.join(environments)} need{'s' * (len(environments) == 1)}"


def some(names: Iterable[str]) -> str:
    """A few of the names, and how many there are."""
    found = list(names)
    return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
