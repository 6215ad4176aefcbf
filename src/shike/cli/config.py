"""`shike config show`: each setting, its value, and where that comes from."""

from __future__ import annotations

from cyclopts import App

from shike.cli import output
from shike.cli.root import FINE
from shike.cli.where import ANYWHERE, Where
from shike.settings import MEANING, shown
from shike.store.opening import without_secrets

URLS = ("store", "history_url", "waker")  # which may hold a password

app = App(name="config", help="Show the settings and where each comes from.")


@app.command
def show(*, where: Where = ANYWHERE) -> int:
    """Every setting: value, origin, meaning. File < environment < flag."""
    loaded = where.settings()
    values = {name: getattr(loaded.settings, name) for name in MEANING}
    values |= {name: without_secrets(values[name]) for name in URLS if values[name]}
    rows = [(name, shown(values[name]), loaded.origins[name], MEANING[name]) for name in MEANING]
    if where.json:
        output.as_json({name: {"value": values[name], "origin": loaded.origins[name]} for name in MEANING})
    else:
        output.table(("setting", "value", "origin", "meaning"), rows)
    return FINE
