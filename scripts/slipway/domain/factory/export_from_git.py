"""The Git folder as if it had been exported: so that both ways of release share checks, parameters, plan and deployment."""

from __future__ import annotations

from dataclasses import replace

from slipway.domain.factory.export_files import Document, ExportFiles
from slipway.domain.factory.git_folder import GitFolder
from slipway.domain.factory.template import generate


def export_of(folder: GitFolder, *, parameterise_databricks: bool = False) -> ExportFiles:
    """The template of the folder, whole (no limits hold where objects are deployed one by one), with the global
    parameters in it and the factory itself not, whatever publish_config.json says. Raises ReleaseError as `generate`."""
    asked = replace(folder, include_factory=False, include_global_parameters=True)
    template = generate(asked, parameterise_databricks=parameterise_databricks)
    where = str(folder.root)
    return ExportFiles(
        where,
        template=Document(where, template.to_template()),
        parameters=Document(where, template.to_parameters()),
    )
