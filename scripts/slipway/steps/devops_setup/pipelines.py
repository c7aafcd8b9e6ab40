"""The pipelines of the repository's YAML files, and the policy that lets pull requests to main build."""

from __future__ import annotations

from slipway.command import Context
from slipway.domain import devops as rules
from slipway.domain.devops import Json, Wanted
from slipway.services.azure_devops import BUILD_VALIDATION
from slipway.steps.devops_setup.work import Work, refusal

EDITORS = "Contributors, Build Administrators or Project Administrators"


def choose_repository(work: Work, context: Context, known: list[Json], asked: str | None) -> Json | None:
    """The Git repository of the project: the one that is asked for, that of the release pipeline where there is one (of the
    pipelines that are `known`), the one with the project's name, or the only one.

    None, with what to do, where there is none of these: the pipelines are looked for, and not made.
    """
    found = [one for one in work.devops.repositories() if not one.get("isDisabled")]
    of_release = {
        str((one.get("repository") or {}).get("id")) for one in known if rules.pipeline_of(rules.RELEASE_FILE, [one])
    }
    theirs = [one for one in found if str(one["id"]) in of_release]
    if asked is None and len(theirs) == 1:
        return theirs[0]
    wanted = (asked or work.devops.project).lower()
    named = next((one for one in found if one["name"].lower() == wanted), None)
    if named is not None:
        return named
    if asked is None and len(found) == 1:
        return found[0]
    names = ", ".join(one["name"] for one in found) or "none"
    work.wrong(
        context,
        f"Which repository holds the pipelines is not known: {asked or work.devops.project} is not there. There are: {names}.",
        "name one: --repository NAME; where the code is on GitHub, make the pipelines by hand: "
        + work.settings("Pipelines", "New pipeline"),
    )
    return None


def ensure_pipelines(
    work: Work, context: Context, wanted: list[Wanted], known: list[Json], repository: Json | None
) -> Json | None:
    """All of them, found by their file; keeps their ids in `work`. The release pipeline, where it is there at the end."""
    first: Json | None = None
    for one in wanted:
        found = rules.pipeline_of(one.file, known, None if repository is None else str(repository["id"]).lower())
        if found is not None:
            context.log.info(f"= pipeline {found['name']} of {one.file}")
        elif repository is not None:
            found = _make(work, context, one, known, repository)
        if found is not None:
            work.pipelines.append(int(found["id"]))
            first = found if one.file == rules.RELEASE_FILE else first
    return first


def _make(work: Work, context: Context, one: Wanted, known: list[Json], repository: Json) -> Json | None:
    place = work.settings("Pipelines", "New pipeline", "Azure Repos Git", str(repository["name"]), f"/{one.file}")
    taken = next((other for other in known if other["name"].lower() == one.name.lower()), None)
    if taken is not None:
        file = (taken.get("process") or {}).get("yamlFilename") or "no YAML file"
        of = (taken.get("repository") or {}).get("name") or "another repository"
        text = f"The name {one.name} is taken by a pipeline of {file} in {of}, so there is none of {one.file} in "
        text += f"{repository['name']}."
        work.wrong(context, text, f"{place}, with another name; or rename the other")
        return None
    with work.report.part(context, refusal(f"make the pipeline {one.name} of {one.file}", EDITORS, place)):
        if work.add(context, f"pipeline {one.name} of {one.file}"):
            return work.devops.create_pipeline(one.name, one.file, str(repository["id"]))
    return None


def ensure_policy(work: Work, context: Context, release: Json | None, repository: Json | None) -> None:
    """Pull requests to main are built and tested by the release pipeline, which deploys nothing for them."""
    if repository is None or (release is None and not context.what_if):
        return
    key = str(repository["id"])
    place = work.settings("Repos", "Branches", "main", "Branch policies", "Build Validation", "+")
    who = "somebody with Edit policies: Project Administrators"
    with work.report.part(context, refusal("let pull requests to main build", who, place)):
        there = work.devops.policies(BUILD_VALIDATION)
        if release is not None and any(rules.validates(one, int(release["id"]), key) for one in there):
            context.log.info("= pull requests to main are built")
        elif work.add(context, "build validation of pull requests to main") and release is not None:
            body = rules.validation_body(BUILD_VALIDATION, int(release["id"]), key)
            work.devops.create_policy(body, "the build validation of main")


def warn_of_hosted_jobs(work: Work, context: Context) -> None:
    """A new organization may run nothing on Microsoft's agents: that takes days to be granted, so it is said early."""
    visibility = str(work.project.get("visibility") or "private")
    place = f"portal: {work.devops.organization} > Organization settings > Parallel jobs"
    with work.report.part(context, refusal("read how many jobs may run", "a member of the organization", place)):
        if work.devops.hosted_jobs(visibility) == 0:
            context.log.warning(
                f"{work.devops.organization} has no job of Microsoft's agents for {visibility} projects: no pipeline can run on "
                f"them. {place} > Microsoft-hosted, or https://aka.ms/azpipelines-parallelism-request for the free grant, which "
                "takes days."
            )
