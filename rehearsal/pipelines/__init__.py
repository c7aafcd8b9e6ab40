"""The part of Azure Pipelines that a rehearsal needs: it expands azure-pipelines.yml and runs what comes out.

expressions/   the expression language: `${{ }}` while templates expand, `$[ ]` and conditions while a run goes on
yaml_nodes.py  YAML with the line and column of everything in it
expansion.py   templates, parameters, `${{ if / elseif / else / each / insert }}`
model.py       stages, jobs, hooks and steps as frozen data, and what YAML key makes which
check.py       every mistake in a repository's YAML at once (`python -m rehearsal.pipelines.check`)
run.py         `run_pipeline`: stages -> jobs -> hooks -> steps, on this machine
"""
