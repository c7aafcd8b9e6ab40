"""The state's compare-and-swap, and files, over the real blob client."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.errors import AuthenticationError, NotPossible, StateMoved
from slipway.services.credentials import Credential
from slipway.services.storage import StateStore, account_keys
from tests.unit.services.conftest import Answer, Sent, Wire

BLOB = r"//stx\.blob\.core\.windows\.net/dev/state\.json"
MADE = Answer(201, b"", {"ETag": '"2"'})


def refusal(status: int, code: str) -> Answer:
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>Said.\nRequestId:1</Message></Error>'
    return Answer(status, body.encode(), {"x-ms-error-code": code, "Content-Type": "application/xml"})


def content(data: bytes, etag: str) -> Answer:
    span = f"bytes 0-{len(data) - 1}/{len(data)}"
    return Answer(206, data, {"ETag": etag, "Content-Range": span, "x-ms-blob-type": "BlockBlob"})


@pytest.fixture
def store(identity: Credential) -> StateStore:
    return StateStore("stx", "dev", identity)


def test_reading(wire: Wire, store: StateStore) -> None:
    wire.on("GET", BLOB, content(b'{"live":"blue"}', '"7"'))
    assert store.read("state.json") == (b'{"live":"blue"}', '"7"')
    assert wire.sent[0].headers["Authorization"] == "Bearer token-1"


def test_reading_what_is_not_there(wire: Wire, store: StateStore) -> None:
    wire.on("GET", BLOB, refusal(404, "BlobNotFound"))
    assert store.read("state.json") is None
    with pytest.raises(NotPossible, match=r"no blob state\.json"):
        store.get_bytes("state.json")


def test_the_first_write_must_be_the_first(wire: Wire, store: StateStore) -> None:
    wire.on("PUT", BLOB, MADE)
    assert store.write("state.json", b"1", etag=None) == '"2"'
    assert wire.sent[0].headers["If-None-Match"] == "*"


def test_a_later_write_names_what_it_replaces(wire: Wire, store: StateStore) -> None:
    wire.on("PUT", BLOB, MADE)
    assert store.write("state.json", b"1", etag='"1"') == '"2"'
    assert wire.sent[0].headers["If-Match"] == '"1"'
    assert len(wire.sent) == 1


@pytest.mark.parametrize(
    ("etag", "answer"), [(None, refusal(409, "BlobAlreadyExists")), ('"1"', refusal(412, "ConditionNotMet"))]
)
def test_a_lost_race(wire: Wire, store: StateStore, etag: str | None, answer: Answer) -> None:
    wire.on("PUT", BLOB, answer)
    wire.on("GET", BLOB, content(b"theirs", '"3"'))
    with pytest.raises(StateMoved, match=r"state\.json in stx/dev"):
        store.write("state.json", b"ours", etag=etag)


def test_an_own_write_whose_answer_was_lost(wire: Wire, store: StateStore) -> None:
    wire.on("PUT", BLOB, refusal(412, "ConditionNotMet"))
    wire.on("GET", BLOB, content(b"ours", '"3"'))
    assert store.write("state.json", b"ours", etag='"1"') == '"3"'


def test_without_bootstrap(wire: Wire, store: StateStore) -> None:
    for method in ("GET", "PUT", "DELETE"):
        wire.on(method, "stx", refusal(404, "ContainerNotFound"))
    for call in (
        lambda: store.read("state.json"),
        lambda: store.write("state.json", b"", etag=None),
        lambda: store.delete("state.json"),
    ):
        with pytest.raises(NotPossible, match="no storage account stx with a container dev") as caught:
            call()
        assert "bootstrap_environment" in caught.value.next_step


def test_no_role(wire: Wire, store: StateStore) -> None:
    wire.on("GET", BLOB, refusal(403, "AuthorizationPermissionMismatch"))
    with pytest.raises(AuthenticationError, match="AuthorizationPermissionMismatch") as caught:
        store.read("state.json")
    assert "RequestId" not in caught.value.what


def test_files_there_and_back(wire: Wire, store: StateStore, tmp_path: Path) -> None:
    stored: dict[str, bytes] = {}

    def put(sent: Sent) -> Answer:
        stored["x"] = sent.body
        return MADE

    wire.on("PUT", "/archive/x", put)
    wire.on("GET", "/archive/x", lambda _: content(stored["x"], '"1"'))
    source, target = tmp_path / "source", tmp_path / "folder" / "target"
    source.write_bytes(b"wheel")
    store.put_file("archive/x", source)
    store.get_file("archive/x", target)
    assert target.read_bytes() == b"wheel"
    assert list(target.parent.iterdir()) == [target]


def test_a_failed_download_leaves_no_file(wire: Wire, store: StateStore, tmp_path: Path) -> None:
    wire.on("GET", "/archive/x", refusal(404, "BlobNotFound"))
    with pytest.raises(NotPossible):
        store.get_file("archive/x", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_listing_follows_markers(wire: Wire, store: StateStore) -> None:
    def page(name: str, marker: str) -> Answer:
        blob = f"<Blob><Name>{name}</Name><Properties/></Blob>"
        text = f"<EnumerationResults><Blobs>{blob}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>"
        return Answer(200, text.encode(), {"Content-Type": "application/xml"})

    wire.on("GET", "comp=list", page("b", "m"), page("a", ""))
    assert store.list("archive/") == ["a", "b"]
    assert "prefix=archive" in wire.sent[0].url


def test_deleting_twice(wire: Wire, store: StateStore) -> None:
    wire.on("DELETE", BLOB, Answer(202, b""), refusal(404, "BlobNotFound"))
    store.delete("state.json")
    store.delete("state.json")


def test_account_keys(wire: Wire, identity: Credential) -> None:
    wire.on("POST", "/storageAccounts/stx/listKeys", Answer(body={"keys": [{"keyName": "key1", "value": "c2VjcmV0"}]}))
    assert account_keys(identity, "sub", "rg", "stx") == "c2VjcmV0"


def test_account_keys_refused(wire: Wire, identity: Credential) -> None:
    error = {"error": {"code": "AuthorizationFailed", "message": "The client 'x' does not have authorization"}}
    wire.on("POST", "listKeys", Answer(403, error))
    with pytest.raises(AuthenticationError, match=r"keys of storage account stx.*AuthorizationFailed"):
        account_keys(identity, "sub", "rg", "stx")


@pytest.mark.parametrize(
    ("said", "ahead"),
    [
        ("Fri, 15 Jan 2027 08:10:00 GMT", 600.0),
        ("Fri, 15 Jan 2027 07:50:00 GMT", -600.0),
        ("Fri, 15 Jan 2027 08:10:00 GMT, Fri, 15 Jan 2027 09:00:00 GMT", 600.0),  # a proxy added its own
    ],
)
def test_the_services_clock_is_told_from_its_answers(wire: Wire, identity: Credential, said: str, ahead: float) -> None:
    store = StateStore("stx", "dev", identity, clock=lambda: 1_800_000_000.0)
    answer = content(b"1", '"1"')
    wire.on("GET", BLOB, Answer(answer.status, answer.body, {**answer.headers, "Date": said}))
    store.read("state.json")
    assert store.ahead == ahead


def test_also_from_a_refusal(wire: Wire, identity: Credential) -> None:
    """Before the first release there is no blob yet, but there is a time."""
    store = StateStore("stx", "dev", identity, clock=lambda: 1_800_000_000.0)
    absent = refusal(404, "BlobNotFound")
    wire.on("GET", BLOB, Answer(404, absent.body, {**absent.headers, "Date": "Fri, 15 Jan 2027 08:10:00 GMT"}))
    assert store.read("state.json") is None
    assert store.ahead == 600.0
