"""Scripts are put together from parts: each has what it reaches, and reaches nothing that is not there."""

from __future__ import annotations

import re

import pytest

from shike.store.redis.scripts import reached, scripts, statements

KEYWORDS = "and break do else elseif end false for function if in local nil not or repeat return then true until while"
GIVEN = "redis cmsgpack struct bit string table math ipairs pairs tonumber unpack KEYS ARGV"

PART = """-- what it is for
local one, two = 1, 2 -- both

local function first() -- uses one
  return one
end

local late -- defined below
local function second()
  return late() + two
end
if one > 2 then
  two = 3
end
late = function()
  return 1
end
"""


def globals_of(text: str) -> set[str]:
    """Names that no `local`, parameter or loop of a script defines; fields and methods left out."""
    bare = re.sub(r"--[^\n]*|'[^'\n]*'", " ", text)
    defined = set(re.findall(r"[A-Za-z_]\w*", " ".join(re.findall(r"\blocal (?!function)([\w, ]+)", bare))))
    defined |= set(re.findall(r"\blocal function (\w+)", bare))
    for heads in re.findall(r"\bfunction[ \w]*\(([\w, ]*)\)", bare) + re.findall(r"\bfor ([\w, ]+?)(?: in\b| =)", bare):
        defined |= set(re.findall(r"\w+", heads))
    used = set(re.findall(r"(?<![\w.:])[A-Za-z_]\w*(?!\s*=[^=]|\w)", re.sub(r"([\w\])]) *[.:] *\w+", r"\1", bare)))
    return used - defined - {*KEYWORDS.split(), *GIVEN.split()}


@pytest.mark.parametrize("name", sorted(scripts()))
def test_a_script_uses_only_what_is_in_it(name: str) -> None:
    assert globals_of(scripts()[name].text.decode()) == set()


def test_a_name_that_nothing_defines_is_seen() -> None:
    assert globals_of("local a = 1\nlocal function f(b)\n  return a + b + missing\nend\nreturn f(a)") == {"missing"}


def test_only_what_is_reached_is_taken_and_what_defines_nothing_always_is() -> None:
    known = statements(PART)
    assert [sorted(one.defines) for one in known] == [["one", "two"], ["first"], ["late"], ["second"], [], ["late"]]
    assert [one.text.partition("\n")[0] for one in reached("return first()", known)] == [
        "local one, two = 1, 2 -- both",
        "local function first() -- uses one",
        "if one > 2 then",
    ]
    assert len(reached("return second()", known)) == 5
