"""What all fuzz tests share: how long they look, mutations of good input, and what a refusal must be.

In the suite each test tries a fixed number of inputs. ``GWAS_FUZZ_SECONDS=600 ./run test tests/fuzz`` lets each look
for ten minutes.
"""

from __future__ import annotations

import functools
import gzip
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gwas_core.errors import GwasError

VARIABLE = "GWAS_FUZZ_SECONDS"
LONGEST_MESSAGE = 700

Value = TypeVar("Value")


def fuzz(*strategies: st.SearchStrategy[Any], examples: int) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """Make a test of a check of one input.

    Args:
        strategies: of the check's arguments.
        examples: inputs that the suite tries; by hand as many as fit into ``GWAS_FUZZ_SECONDS``.
    """

    def decorate(check: Callable[..., None]) -> Callable[[], None]:
        rounds = settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))(
            given(*strategies)(check)
        )

        @functools.wraps(check, assigned=("__name__", "__doc__", "__module__"), updated=())
        def test() -> None:
            until = time.monotonic() + float(os.environ.get(VARIABLE, "0"))
            rounds()
            while time.monotonic() < until:
                rounds()

        del test.__wrapped__  # pytest would take its arguments for fixtures
        return test

    return decorate


@contextmanager
def refusals_allowed() -> Iterator[None]:
    """Let an input be refused, by an error of ours in one sentence; anything else is a fault."""
    try:
        yield
    except GwasError as error:
        text = str(error)
        assert text, "a refusal without a word"
        assert text.isprintable(), f"control characters in {text!r}"
        assert len(text) <= LONGEST_MESSAGE, f"{len(text)} characters: {text[:200]!r}"


# What turns up in broken and hostile files alike.
TOKENS = (
    *(
        b"\0",
        b"\t",
        b"\n",
        b"\r",
        b"\r\n",
        b" ",
        b",",
        b";",
        b'"',
        b"'",
        b"\xef\xbb\xbf",
        b"\xff",
        b"\xc3",
        b"\xc3\xa9",
    ),
    *(
        b"0",
        b"1",
        b"2",
        b"3",
        b"-1",
        b"-9",
        b"NA",
        b"nan",
        b"inf",
        b"1e999",
        b"0.5",
        b"1_0",
        b"9" * 30,
        b"=1+1",
        b"'=1",
    ),
    *(b"Gm01_1", b"Gm01_100", b"chr2:9", b"strain", b"folds", b"norm_phe", b"\xe2\x80\xae", b"{", b"}", b"[", b"]"),
    *(b":", b"- ", b"&a ", b"*a", b"!!python/object:os.system", b"null", b"true", b"1e400", b"\\ud800", b"~"),
)


def mutated(originals: st.SearchStrategy[bytes], *, most: int = 6) -> st.SearchStrategy[bytes]:
    """Return a strategy of contents that are good but for a few changes: tokens put in, parts cut, doubled, or lost."""
    return st.builds(_changed, originals, st.lists(_CHANGES, max_size=most))


_CHANGES = st.tuples(
    st.sampled_from(("insert", "replace", "delete", "double", "cut", "flip")),
    st.floats(0, 1),
    st.integers(0, 60),
    st.sampled_from(TOKENS) | st.binary(max_size=6),
)


def _changed(content: bytes, changes: list[tuple[str, float, int, bytes]]) -> bytes:
    for kind, where, length, token in changes:
        start = int(where * len(content))
        end = min(len(content), start + length)
        match kind:
            case "insert":
                content = content[:start] + token + content[start:]
            case "replace":
                content = content[:start] + token + content[end:]
            case "delete":
                content = content[:start] + content[end:]
            case "double":
                content = content[:end] + content[start:end] * 2 + content[end:]
            case "cut":
                content = content[:start]
            case "flip" if content:
                place = min(start, len(content) - 1)
                content = content[:place] + bytes([content[place] ^ (1 << length % 8)]) + content[place + 1 :]
    return content


def maybe_compressed(contents: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return a strategy of the contents, some as gzip, some of those damaged."""
    packed = contents.map(lambda content: gzip.compress(content, compresslevel=1))
    return contents | packed | mutated(packed, most=2)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**53, max_value=2**70)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(("", "a" * 300, "\0", "\u202e", "nan", "2020-01-01", "focused", "log", "float", "int")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
"""Any JSON values, and what Python's reader takes for them: NaN, infinity, integers without limit."""


@st.composite
def changed_json(draw: st.DrawFn, original: Any) -> Any:
    """Return values like the original, in a few places of which something else stands, too much or nothing."""
    values = original
    for _ in range(draw(st.integers(0, 3))):
        values = _changed_json(draw, values)
    return values


def _changed_json(draw: st.DrawFn, values: Any) -> Any:
    what = draw(st.sampled_from(("inside", "inside", "inside", "other", "more", "less")))
    if isinstance(values, dict) and values and what != "other":
        key = draw(st.sampled_from(sorted(values)))
        if what == "inside":
            return {**values, key: _changed_json(draw, values[key])}
        if what == "less":
            return {name: value for name, value in values.items() if name != key}
        return {**values, draw(st.text(max_size=8) | st.just(key)): draw(JSON)}
    if isinstance(values, list) and values and what != "other":
        place = draw(st.integers(0, len(values) - 1))
        if what == "inside":
            return [*values[:place], _changed_json(draw, values[place]), *values[place + 1 :]]
        return values[:place] + values[place + 1 :] if what == "less" else [*values, *values]
    return draw(JSON)
