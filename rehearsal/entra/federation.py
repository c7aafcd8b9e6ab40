"""Signing in with another issuer's token: workload identity federation.

Source: https://learn.microsoft.com/entra/workload-id/workload-identity-federation; numbers and sentences as reported at
github.com/Azure/login (482, 372, 517) and github.com/Azure/azure-workload-identity (340, 1200).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jwt
from jwt.types import Options

from rehearsal.entra.directory import Directory
from rehearsal.entra.refusals import TokenError

# What is compared here, against the rehearsal's clock, and not by the library.
UNCHECKED: Options = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
NO_RECORD = "No matching federated identity record found for presented assertion"
CHECK = "Check your federated identity credential Subject, Audience and Issuer against the presented assertion."


def check_assertion(directory: Directory, app_id: str, assertion: str) -> None:
    """Whether `assertion` may stand for the application's secret. Raises TokenError."""
    claims = _read(assertion)
    _match(directory.federations(app_id), claims)
    _in_time(claims, directory.now())
    key = directory.issuer_key(str(claims["iss"]))
    try:
        jwt.decode(assertion, key or "", algorithms=["RS256"], options=UNCHECKED)
    except (jwt.PyJWTError, ValueError) as error:
        # Unverified: the number for an outside issuer's bad signature.
        raise _refused(700027, "The assertion's signature could not be validated with the issuer's keys.") from error


def _read(assertion: str) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise _refused(50027, "JWT token is invalid or malformed.") from error
    times = (claims.get("exp"), claims.get("nbf", 0))
    if not all(isinstance(moment, int | float) for moment in times):
        raise _refused(50027, "JWT token is invalid or malformed.")
    return claims


def _match(known: list[dict[str, str]], claims: dict[str, Any]) -> None:
    """Issuer, then subject, then audience; all are compared with their case."""
    issuer, subject, audience = str(claims.get("iss", "")), str(claims.get("sub", "")), claims.get("aud")
    of_issuer = [record for record in known if record["issuer"] == issuer]
    if not of_issuer:
        raise _refused(700211, f"{NO_RECORD} issuer '{issuer}'. {CHECK}")
    of_subject = [record for record in of_issuer if record["subject"] == subject]
    if not of_subject:
        alike = any(record["subject"].lower() == subject.lower() for record in of_issuer)
        more = " The matching of the subject is case-sensitive." if alike else ""
        raise _refused(7002138 if alike else 700213, f"{NO_RECORD} subject '{subject}'.{more} {CHECK}")
    if audience not in [record["audience"] for record in of_subject]:
        raise _refused(700212, f"{NO_RECORD} audience '{audience}'. {CHECK}")


def _in_time(claims: dict[str, Any], now: float) -> None:
    start, end = float(claims.get("nbf", 0)), float(claims["exp"])
    if not start <= now < end:
        raise _refused(
            700024,
            f"Client assertion is not within its valid time range. Current time: {_moment(now)}, assertion valid from "
            f"{_moment(start)}, expiry time of assertion {_moment(end)}. Review the documentation at "
            "https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
        )


def _refused(number: int, text: str) -> TokenError:
    return TokenError("invalid_client", number, text, 401)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(min(max(seconds, 0), 253402300799), UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
