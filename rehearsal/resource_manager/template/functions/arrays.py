"""Functions on arrays, and on arrays, strings and objects alike (template-functions-array, template-functions-object)."""

from __future__ import annotations

from typing import Any

from rehearsal.resource_manager.template.errors import ExpressionError
from rehearsal.resource_manager.template.functions.function import array, integer, invalid, plain, text
from rehearsal.resource_manager.template.functions.strings import to_text
from rehearsal.resource_manager.template.values import describe, is_integer, member, same

Json = Any
_MOST = 10_000
_LARGEST = 2_147_483_647


def has(items: list[Json], wanted: Json) -> bool:
    return any(same(item, wanted) for item in items)


def _array(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _concat(*values: Json) -> Json:
    if isinstance(values[0], list):
        return [item for value in values for item in array("concat", value)]
    for value in values:
        if isinstance(value, list | dict) or value is None:
            raise invalid(
                "concat",
                f"expects all parameters to be of one kind. The provided value is of type '{describe(value)}'.",
            )
    return "".join(to_text(value) for value in values)


def _contains(container: Json, wanted: Json) -> bool:
    if isinstance(container, str):
        return to_text(wanted) in container
    if isinstance(container, list):
        return has(container, wanted)
    if isinstance(container, dict):
        return member(container, text("contains", wanted)) is not None
    raise invalid("contains", f"expects an array, an object or a string, not '{describe(container)}'.")


def _empty(value: Json) -> bool:
    if value is None:
        return True
    if isinstance(value, str | list | dict):
        return len(value) == 0
    raise invalid("empty", f"expects an array, an object or a string, not '{describe(value)}'.")


def _end(name: str, value: Json, index: int) -> Json:
    if isinstance(value, str):
        return value[index] if value else ""
    items = array(name, value)
    # first([]) is null, as the engine's own tests have it.
    return items[index] if items else None


def _flatten(value: Json) -> list[Json]:
    return [item for inner in array("flatten", value) for item in array("flatten", inner)]


def _index_of(name: str, value: Json, wanted: Json, *, last: bool) -> int:
    if isinstance(value, str):
        # Strings are compared without regard to case, arrays with it.
        whole, part = value.lower(), text(name, wanted).lower()
        return whole.rfind(part) if last else whole.find(part)
    hits = [index for index, item in enumerate(array(name, value)) if same(item, wanted)]
    return (hits[-1] if last else hits[0]) if hits else -1


def _length(value: Json) -> int:
    if isinstance(value, str | list | dict):
        return len(value)
    raise invalid("length", f"expects an array, an object or a string, not '{describe(value)}'.")


def _extreme(name: str, values: tuple[Json, ...]) -> Json:
    numbers = array(name, values[0]) if len(values) == 1 and isinstance(values[0], list) else list(values)
    checked = [integer(name, number) for number in numbers]
    if not checked:
        raise invalid(name, "expects at least one integer.")
    return min(checked) if name == "min" else max(checked)


def _range(start: Json, count: Json) -> list[int]:
    first, size = integer("range", start), integer("range", count)
    if not 0 <= size <= _MOST or first + size > _LARGEST:
        raise invalid("range", f"expects a count from 0 to {_MOST}, and a sum of at most {_LARGEST}.")
    return list(range(first, first + size))


def _part(name: str, value: Json, count: Json) -> Json:
    number = max(0, integer(name, count))
    whole = value if isinstance(value, str) else array(name, value)
    return whole[number:] if name == "skip" else whole[:number]


def _from_end(value: Json, index: Json) -> Json:
    items, back = array("indexFromEnd", value), integer("indexFromEnd", index)
    if not 1 <= back <= len(items):
        raise ExpressionError(
            f"The language expression property array index '{back}' is out of bounds. Array size '{len(items)}'."
        )
    return items[-back]


def _try_from_end(value: Json, index: Json) -> Json:
    if value is None:
        return None
    items, back = array("tryIndexFromEnd", value), integer("tryIndexFromEnd", index)
    return items[-back] if 1 <= back <= len(items) else None


def distinct(items: list[Json]) -> list[Json]:
    """The items without repetitions, in order of their first one."""
    found: list[Json] = []
    for item in items:
        if not has(found, item):
            found.append(item)
    return found


def _try_get(value: Json, *keys: Json) -> Json:
    for key in keys:
        if isinstance(value, dict) and isinstance(key, str):
            found = member(value, key)
            value = None if found is None else value[found]
        elif isinstance(value, list) and is_integer(key):
            value = value[key] if 0 <= key < len(value) else None
        else:
            return None
    return value


FUNCTIONS = (
    plain("array", 1, 1, _array),
    plain("concat", 1, None, _concat),
    plain("contains", 2, 2, _contains),
    plain("createArray", 0, None, lambda *values: list(values)),
    plain("distinct", 1, 1, lambda value: distinct(array("distinct", value))),
    plain("empty", 1, 1, _empty),
    plain("first", 1, 1, lambda value: _end("first", value, 0)),
    plain("flatten", 1, 1, _flatten),
    plain("indexFromEnd", 2, 2, _from_end),
    plain("indexOf", 2, 2, lambda value, wanted: _index_of("indexOf", value, wanted, last=False)),
    plain("last", 1, 1, lambda value: _end("last", value, -1)),
    plain("lastIndexOf", 2, 2, lambda value, wanted: _index_of("lastIndexOf", value, wanted, last=True)),
    plain("length", 1, 1, _length),
    plain("max", 1, None, lambda *values: _extreme("max", values)),
    plain("min", 1, None, lambda *values: _extreme("min", values)),
    plain("range", 2, 2, _range),
    plain("skip", 2, 2, lambda value, count: _part("skip", value, count)),
    plain("take", 2, 2, lambda value, count: _part("take", value, count)),
    plain("tryGet", 2, None, _try_get),
    plain("tryIndexFromEnd", 2, 2, _try_from_end),
)
