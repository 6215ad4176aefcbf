"""What the console says: `words/NAME.toml` holds the sentences of a page, each in every language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from shike.server.console.visit import LANGUAGES

WORDS: Final = Path(__file__).parent / "words"


@cache
def catalogue(lang: str) -> Mapping[str, str]:
    """All sentences of one language, as `FILE.key`."""
    found: dict[str, str] = {}
    for path in sorted(WORDS.glob("*.toml")):
        for key, texts in tomllib.loads(path.read_text("utf-8")).items():
            found[f"{path.stem}.{key}"] = texts[lang]
    return found


def say(lang: str, key: str, /, **values: Any) -> str:
    """One sentence with its values. Raises `KeyError` for one that is not there."""
    text = catalogue(lang if lang in LANGUAGES else LANGUAGES[0])[key]
    return text.format(**values) if values else text
