"""Every shape in which a workspace refuses is read; nothing that it may answer breaks the reader."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.errors import AuthenticationError, ServiceError, SlipwayError
from slipway.services.databricks.errors import AccessRefused, AlreadyExists, DatabricksError, NotFound, error_for, parse

# A small alphabet: the whole of Unicode takes seconds to set up.
TEXTS = st.text(alphabet="aZ09 _:<>/{}[]\"'\\\n\x00é€😀\ud800", max_size=20)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
KNOWN = st.sampled_from(["error_code", "message", "error", "details", "detail", "schemas", "status", "scimType"])


@pytest.mark.parametrize(
    ("status", "headers", "body", "code", "message"),
    [
        (400, {}, b'{"error_code":"INVALID_STATE","message":"no"}', "INVALID_STATE", "no"),
        (
            403,
            {},
            b'{"error_code":403,"message":"Invalid access token. [ReqId: x]"}',
            "",
            "Invalid access token. [ReqId: x]",
        ),
        (500, {}, b'{"error":"old API"}', "", "old API"),
        (404, {}, b'{"schemas":["urn:x"],"detail":"no such user","status":"404"}', "SCIM_404", "no such user"),
        (409, {}, b'{"schemas":[],"detail":"there","scimType":"uniqueness"}', "uniqueness", "there"),
        (400, {}, b"MALFORMED_REQUEST: Invalid JSON", "MALFORMED_REQUEST", "Invalid JSON"),
        (403, {}, b"<html><title>Error 403</title><pre>User not  authorized.</pre></html>", "", "User not authorized."),
        (502, {}, b"<html><title>Bad &amp; worse</title></html>", "", "Bad & worse"),
        (429, {"X-Databricks-Reason-Phrase": "slow down"}, b"", "", "slow down"),
        (503, {}, b"", "", "HTTP 503"),
        (302, {"Location": "/login.html?error=private-link-validation-error"}, b"", "", "redirected to /login.html"),
        (400, {}, b'{"error":{"code":"X","message":"nested"}}', "X", "nested"),
    ],
)
def test_known_shapes(status: int, headers: dict[str, str], body: bytes, code: str, message: str) -> None:
    failure = parse(status, headers, body)
    assert (failure.status, failure.code) == (status, code)
    assert failure.message.startswith(message)


@settings(deadline=None)
@given(status=st.integers(100, 999), body=st.binary(max_size=300))
def test_any_bytes_are_read(status: int, body: bytes) -> None:
    failure = parse(status, {}, body)
    assert failure.message
    assert isinstance(error_for(failure, "x"), SlipwayError)


@settings(deadline=None)
@given(body=st.dictionaries(KNOWN, JSON_VALUES))
def test_any_json_is_read(body: dict[str, object]) -> None:
    failure = parse(400, {}, json.dumps(body).encode())
    assert isinstance(failure.message, str)
    assert isinstance(str(error_for(failure, "x")), str)


def test_deeply_nested_json_is_read() -> None:
    assert parse(400, {}, b'{"a":' * 50_000).status == 400


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (404, "RESOURCE_DOES_NOT_EXIST", "Path (/x) doesn't exist.", NotFound),
        (400, "INVALID_PARAMETER_VALUE", "Job 12 does not exist.", NotFound),
        (400, "INVALID_PARAMETER_VALUE", "Path (x) doesn't start with '/'", DatabricksError),
        (400, "RESOURCE_ALREADY_EXISTS", "Scope s already exists!", AlreadyExists),
        (401, "", "Credential was not sent", AccessRefused),
        (403, "PERMISSION_DENIED", "no", AccessRefused),
        (400, "", "io.jsonwebtoken.IncorrectClaimException: Expected aud claim", AccessRefused),
        (400, "", "io.jsonwebtoken.ExpiredJwtException: JWT expired.", AccessRefused),
        (403, "", "JWT has expired", AccessRefused),
        (404, "ENDPOINT_NOT_FOUND", "No API found", DatabricksError),
        (500, "", "oops", DatabricksError),
    ],
)
def test_the_kind_of_error(status: int, code: str, message: str, kind: type[SlipwayError]) -> None:
    error = error_for(parse(status, {}, json.dumps({"error_code": code, "message": message}).encode()), "here")
    assert type(error) is kind
    assert message in error.what
    assert error.exit_code == (AuthenticationError if kind is AccessRefused else ServiceError).exit_code


@pytest.mark.parametrize(
    ("status", "message"),
    [(400, "io.jsonwebtoken.ExpiredJwtException: JWT expired."), (403, "JWT has expired"), (401, "Token is expired")],
)
def test_a_token_that_has_ended_is_not_taken_for_a_missing_permission(status: int, message: str) -> None:
    error = error_for(parse(status, {}, json.dumps({"error_code": status, "message": message}).encode()), "here")
    assert "has ended" in error.next_step


def test_a_404_that_names_no_object_does_not_say_that_it_is_gone() -> None:
    error = error_for(parse(404, {}, b"<html><title>Not Found</title></html>"), "here")
    assert type(error) is DatabricksError
    assert "databricks.host" in error.next_step


def test_no_token_is_repeated() -> None:
    body = b'{"message":"bad header Bearer abc.def.ghi and eyJhbGciOiJSUzI1NiJ9.eyJh.sig and dapi0123456789abcdef0123"}'
    text = str(error_for(parse(403, {}, body), "here"))
    assert "abc.def" not in text
    assert "eyJ" not in text
    assert "dapi0" not in text
