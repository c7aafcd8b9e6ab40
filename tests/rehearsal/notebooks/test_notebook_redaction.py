from __future__ import annotations

import io
import threading

from hypothesis import assume, given
from hypothesis import strategies as st

from rehearsal.notebooks.redaction import ByPlace, RedactedStream, Redactor

SECRET = "pl4nted-Secret/value+=="


def stream(*secrets: str) -> tuple[RedactedStream, io.StringIO]:
    redactor, target = Redactor(), io.StringIO()
    for secret in secrets:
        redactor.add(secret)
    return RedactedStream(target, redactor), target


@given(st.text(alphabet="ab \n", max_size=30), st.text(alphabet="ab \n", max_size=30), st.data())
def test_a_secret_is_hidden_however_the_text_is_cut(before: str, after: str, data: st.DataObject) -> None:
    text = before + SECRET + after
    redacted, target = stream(SECRET)
    rest = text
    while rest:
        length = data.draw(st.integers(1, len(rest)))
        redacted.write(rest[:length])
        rest = rest[length:]
        assert SECRET not in target.getvalue()
    redacted.finish()
    assert target.getvalue().rstrip("\n") == text.replace(SECRET, "[REDACTED]").rstrip("\n")


@given(st.text(alphabet="ab\n", min_size=2, max_size=8), st.lists(st.text(alphabet="ab\n", max_size=9), max_size=9))
def test_a_secret_with_line_breaks_is_hidden_too(secret: str, pieces: list[str]) -> None:
    assume(secret.strip())
    redacted, target = stream(secret)
    for piece in pieces:
        redacted.write(piece)
    redacted.finish()
    assert secret not in target.getvalue()


def test_whole_lines_are_passed_on_at_once_and_the_rest_at_the_end() -> None:
    redacted, target = stream(SECRET)
    redacted.write("one\ntw")
    assert target.getvalue() == "one\n"
    redacted.write("o")
    redacted.finish()
    assert target.getvalue() == "one\ntwo\n"


def test_spellings_of_a_value_are_hidden() -> None:
    value = 'line one\nline "two"'
    redactor = Redactor()
    redactor.add(value)
    assert redactor(repr(value)) == "'[REDACTED]'"
    assert redactor(repr(value.encode())) == "b'[REDACTED]'"
    redactor.add("from-a-file\n")
    assert redactor("<from-a-file>") == "<[REDACTED]>"


def test_the_longer_value_goes_first_and_an_empty_one_is_ignored() -> None:
    redactor = Redactor()
    for value in ("abc", "", "abcdef"):
        redactor.add(value)
    assert redactor("abcdef abc") == "[REDACTED] [REDACTED]"


def test_output_of_foreign_threads_is_the_executors() -> None:
    import _thread

    notebook, seen = stream()
    executor, aside = stream()
    output = ByPlace(notebook, executor)
    done = threading.Event()

    def worker() -> None:
        output.write("from a worker\n")
        done.set()

    _thread.start_new_thread(worker, ())  # like Sail's threads: not started by threading.Thread
    assert done.wait(10)
    thread = threading.Thread(target=lambda: output.write("from the notebook\n"))
    thread.start()
    thread.join()
    assert (seen.getvalue(), aside.getvalue()) == ("from the notebook\n", "from a worker\n")
