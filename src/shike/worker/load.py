"""Import an app from its name on the command line: `package.module:attribute`, or the path of a file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from shike.errors import ImportFailed
from shike.task import Definition

ATTRIBUTE = "app"  # where none is named
PACKAGE = Path(__file__).parents[1]


def load_app(app_path: str) -> Any:
    """The object of that name: `shop.work:app`, `shop.work` (its `app`), `jobs.py`, `jobs.py:nightly`.

    A file is imported under its bare name, with its folder on the import path, as `python file.py` would find its
    neighbours. Raises `ImportFailed`, which says what to do.
    """
    module_name, _, attribute = app_path.partition(":")
    if not module_name:
        raise ImportFailed(f"{app_path!r} names no module; write package.module:attribute or the path of a file")
    try:
        module = _import(module_name)
    except (ImportFailed, KeyboardInterrupt):
        raise
    except BaseException as error:
        told = f"{type(error).__name__}: {error}{_place(error)}"
        raise ImportFailed(f"{module_name!r} does not import: {told}") from error
    return _attribute_of(module, attribute or ATTRIBUTE, app_path)


def _place(error: BaseException) -> str:
    """The last line of the user's own that was being run: neither the import machinery's nor Shike's."""
    frames = [frame for frame in extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


def _is_ours(file: str) -> bool:
    return file.startswith("<") or file == importlib.__file__ or Path(file).is_relative_to(PACKAGE)


def located(app_path: str) -> str:
    """The same app, also from another folder: the path of a file becomes absolute."""
    name, colon, attribute = app_path.partition(":")
    return f"{Path(name).absolute()}{colon}{attribute}" if name.endswith(".py") else app_path


def tasks_of(app: Any, app_path: str) -> Mapping[str, Definition]:
    """The tasks of a loaded app; raises `ImportFailed` if it has none to offer."""
    tasks = _tasks(app)
    if not isinstance(tasks, Mapping):
        raise ImportFailed(f"{app_path!r} is a {type(app).__qualname__}, not a Shike app")
    return tasks


def _tasks(value: Any) -> Any:
    return None if isinstance(value, type) else getattr(value, "tasks", None)


def _import(name: str) -> ModuleType:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    file = Path(name).resolve()
    if not file.is_file():
        raise ImportFailed(f"there is no file {name!r}")
    loaded = sys.modules.get(file.stem)
    if loaded is not None and getattr(loaded, "__file__", None) == str(file):
        return loaded
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ImportFailed(f"{name!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[file.stem]
        raise
    return module


def _attribute_of(module: ModuleType, dotted: str, app_path: str) -> Any:
    value: Any = module
    for name in dotted.split("."):
        try:
            value = getattr(value, name)
        except AttributeError:
            file = app_path.partition(":")[0]
            apps = [f"{file}:{key}" for key, held in vars(module).items() if isinstance(_tasks(held), Mapping)]
            advice = f"name the app, as in {' or '.join(apps)}" if apps else "nothing in it is a Shike app"
            raise ImportFailed(f"module {module.__name__!r} has no {dotted!r}; {advice}") from None
    return value
