"""The rehearsal's Azure Databricks workspaces: one app for every host `adb-*.azuredatabricks.net`, state kept per host.

One module per service holds state and rules (`tree`, `secrets`, `jobs`, `runs`, `permissions`, `members`); the modules under
`routes/` read requests and shape answers. `app.create_app` puts them together, `workspaces.Workspaces` seeds them.
"""
