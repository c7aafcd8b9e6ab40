"""The wire of a removal: of an environment, only its resource group is left."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from slipway.command import Context
from tests.unit.services.bootstrap_wire import ABSENT, NO_PATH, OURS, SUBSCRIPTION, WORKSPACE, workspace
from tests.unit.services.conftest import Answer, Step, Wire

GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-bikeshare-dev"
TAGS = {"slipway_app": "bikeshare", "slipway_environment": "dev"}


def only_the_group(wire: Wire) -> Wire:
    wire.on("GET", r"/subscriptions/[^/]*\?", Answer(body=OURS))
    wire.on("GET", WORKSPACE, Answer(body=workspace("westeurope")))
    wire.on("GET", "/storageAccounts/stbikesharestate", ABSENT)
    wire.on("GET", r"blob\.core\.windows\.net", Answer(404, b"", {"x-ms-error-code": "ContainerNotFound"}))
    wire.on("GET", "/identities/default", ABSENT)
    wire.on("GET", "/federatedIdentityCredentials", ABSENT)
    wire.on("GET", "/locks", Answer(body={"value": []}))
    wire.on("GET", r"/jobs/list", Answer(body={"jobs": []}))
    wire.on("GET", "/workspace/get-status", NO_PATH)
    wire.on("GET", "/secrets/scopes/list", Answer(body={"scopes": []}))
    wire.on("GET", "/scim/v2/ServicePrincipals", Answer(body={"Resources": []}))
    wire.on("GET", r"/resourceGroups/[^/]*/resources\?", Answer(body={"value": []}))
    wire.on("GET", r"/resourceGroups/rg-bikeshare-dev\?", Answer(body={"id": GROUP, "tags": TAGS}))
    wire.on("DELETE", r"/resourcegroups/rg-bikeshare-dev\?", Answer(200, b""))
    return wire


def asked(step: Step, *, root: Path | None = None, **given: Any) -> Context:
    """What is typed; `root`: a repository with other environments."""
    options: dict[str, Any] = {
        "yes": None,
        "production": False,
        "last": False,
        "workspace": None,
        "with_foreign": False,
    }
    context = step.context()
    arguments = argparse.Namespace(**(options | given))
    return dataclasses.replace(context, arguments=arguments, root=root or context.root)
