"""Azure Pipelines: expands any pipeline as the service does, and runs a part of what comes out on this machine.

expressions/   the expression language: `${{ }}` while templates expand, `$[ ]` and conditions while a run goes on
yaml_nodes.py  YAML with the line and column of everything in it
expansion.py   templates, parameters, `${{ if / elseif / else / each / insert }}`
schema.py      what the service takes where
normal_form.py shortcuts as tasks, stages around all: the one form that the service gives everything
preview.py     all of that together: the final YAML (`python -m rehearsal pipeline FILE`)
model.py       stages, jobs, hooks and steps as frozen data
check.py       every mistake in a repository's YAML at once (`python -m rehearsal.pipelines.check`)
run.py         `run_pipeline`: stages -> jobs -> hooks -> steps, on this machine
"""
