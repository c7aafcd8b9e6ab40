"""Who may have jobs run as a service principal: its rule set in the account, through the workspace."""

from __future__ import annotations

from typing import Any

from rehearsal.databricks.rule_sets import ACCOUNT_ID
from tests.rehearsal.databricks.workbench import ADMIN, READER, RELEASE, Site

PATH = "/preview/accounts/access-control/rule-sets"
NAME = f"accounts/{ACCOUNT_ID}/servicePrincipals/app-jobs/ruleSets/default"
MANAGER = {"role": "roles/servicePrincipal.manager", "principals": ["servicePrincipals/app-release"]}
USER = {"role": "roles/servicePrincipal.user", "principals": ["servicePrincipals/app-release"]}
CLUSTER = {"spark_version": "16.4.x-scala2.12", "node_type_id": "Standard_D4ds_v5", "num_workers": 1}
TASK = {"task_key": "t", "notebook_task": {"notebook_path": "/Shared/n"}, "new_cluster": CLUSTER}
JOB = {
    "name": "j",
    "run_as": {"service_principal_name": "app-jobs"},
    "tasks": [TASK],
}


def rules(site: Site, etag: str = "") -> Any:
    return site.ok(ADMIN, "GET", PATH, {"name": NAME, "etag": etag})


def grant(site: Site, *granted: dict[str, Any]) -> Any:
    rule_set = {"name": NAME, "etag": rules(site)["etag"], "grant_rules": list(granted)}
    return site.ok(ADMIN, "PUT", PATH, {"name": NAME, "rule_set": rule_set})


def test_the_workspace_names_its_account(site: Site) -> None:
    found = site.ok(RELEASE, "GET", "/tokens/introspect")["principal_context"]["authentication_scope"]
    assert found["account_id"] == ACCOUNT_ID


def test_only_a_user_may_have_jobs_run_as_it_and_a_manager_is_none(site: Site) -> None:
    assert rules(site)["grant_rules"] == []
    for granted in ((), (MANAGER,)):
        grant(site, *granted)
        refused = site.refused(RELEASE, "POST", "/jobs/create", JOB)
        assert refused[:2] == (403, "PERMISSION_DENIED")
    assert grant(site, MANAGER, USER)["grant_rules"] == [MANAGER, USER]
    job_id = site.ok(RELEASE, "POST", "/jobs/create", JOB)["job_id"]
    assert site.ok(ADMIN, "GET", "/jobs/get", {"job_id": job_id})["run_as_user_name"] == "app-jobs"


def test_rules_that_somebody_else_changed_are_not_written_over(site: Site) -> None:
    before = rules(site)
    grant(site, MANAGER)
    stale = {"name": NAME, "rule_set": {"name": NAME, "etag": before["etag"], "grant_rules": [USER]}}
    assert site.refused(ADMIN, "PUT", PATH, stale)[:2] == (409, "RESOURCE_CONFLICT")
    assert rules(site)["grant_rules"] == [MANAGER]


def test_what_is_refused(site: Site) -> None:
    asked = {"name": NAME, "etag": ""}
    assert site.refused(READER, "GET", PATH, asked)[0] == 403
    for name, status in (
        ("nonsense", 400),
        (NAME.replace(ACCOUNT_ID, "00000000-0000-0000-0000-000000000000"), 400),
        (NAME.replace("app-jobs", "nobody"), 404),
        (NAME.replace("servicePrincipals", "groups"), 501),
    ):
        assert site.refused(ADMIN, "GET", PATH, {**asked, "name": name})[0] == status
