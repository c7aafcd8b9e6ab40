"""What the stand-ins do, from their own tables, and which foreign client has tried it: docs/stand-ins.md."""
