"""`python -m rehearsal.coverage`: makes docs/stand-ins.md again; with --record, first the record of a contract run's log.

Exit code: 0 every operation that is called done was exercised by a foreign client; 1 some were not: they are named.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))  # the configuration is read as users read it

from rehearsal.coverage import page, record
from rehearsal.coverage.services import all_operations


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.coverage", description=__doc__)
    parser.add_argument("--record", type=Path, metavar="LOG", help="requests.log of a whole contract run")
    arguments = parser.parse_args()
    operations = all_operations()
    if arguments.record:
        record.save(record.exercised(record.read_log(arguments.record), operations))
    exercised = record.load()
    page.PAGE.write_text(page.render(operations, exercised), encoding="utf-8")
    left = page.gaps(operations, exercised)
    print(f"{page.PAGE}: operations called done that no foreign client exercises: {len(left) or 'none'}")
    print(*(f"  {name}" for name in left), sep="\n", end="\n" if left else "")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
