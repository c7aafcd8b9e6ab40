"""uniqueString() and guid(): hashes that give the same text as in Azure.

uniqueString: a 64-bit Murmur3-like hash in base 32; checked against public results of the real engine.
guid: version 5 (RFC 4122) under Microsoft's namespace (learn.microsoft.com/azure/azure-resource-manager/bicep,
bicep-functions-string#guid).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

_WORD = 0xFFFFFFFF
_C1, _C2 = 597399067, 2869860233
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_GUIDS = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")


def guid(texts: Sequence[str]) -> str:
    return str(uuid.uuid5(_GUIDS, "-".join(texts)))


def unique_string(texts: Sequence[str]) -> str:
    """13 letters and digits."""
    number = hash64("-".join(texts).encode())
    return "".join(_LETTERS[(number >> shift if shift >= 0 else number << -shift) & 31] for shift in range(59, -6, -5))


def hash64(data: bytes) -> int:
    """The 64-bit hash behind uniqueString()."""
    one = two = 0
    whole = len(data) // 8 * 8
    for at in range(0, whole, 8):
        low = int.from_bytes(data[at : at + 4], "little")
        high = int.from_bytes(data[at + 4 : at + 8], "little")
        one ^= _mix(low, _C1, 15, _C2)
        one = ((_rotate(one, 19) + two) * 5 + 1444728091) & _WORD
        two ^= _mix(high, _C2, 17, _C1)
        two = ((_rotate(two, 13) + one) * 5 + 197830471) & _WORD
    tail = data[whole:]
    if tail:
        one ^= _mix(int.from_bytes(tail[:4], "little"), _C1, 15, _C2)
    if len(tail) > 4:
        two ^= _mix(int.from_bytes(tail[4:], "little"), _C2, 17, _C1)
    one ^= len(data)
    two ^= len(data)
    one = (one + two) & _WORD
    two = (two + one) & _WORD
    one, two = _final(one), _final(two)
    one = (one + two) & _WORD
    two = (two + one) & _WORD
    return (two << 32) | one


def _rotate(word: int, by: int) -> int:
    return ((word << by) | (word >> (32 - by))) & _WORD


def _mix(word: int, first: int, by: int, second: int) -> int:
    return (_rotate((word * first) & _WORD, by) * second) & _WORD


def _final(word: int) -> int:
    word = ((word ^ (word >> 16)) * 2246822507) & _WORD
    word = ((word ^ (word >> 13)) * 3266489909) & _WORD
    return word ^ (word >> 16)
