"""The OpenAPI 3.1 document, made of the route table and of the very types that read and write."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import msgspec

from shike import __version__
from shike.server.ask import Ask, Nothing, Reply
from shike.server.problems import MEDIA_TYPE, TITLES, Problem
from shike.server.roles import Role
from shike.server.routes import API, Route, Rule

REF: Final = "#/components/schemas/{name}"
PATH: Final = re.compile(r"\{(\w+)\}")
PATH_WORDS: Final[dict[str, dict[str, Any]]] = {
    "run": {"type": "string", "pattern": "^[0-9]{1,19}$", "example": "5629499534213120"},
    "graph": {"type": "string", "pattern": "^[0-9]{1,19}$", "example": "5629499534213120"},
}
HEADERS: Final[dict[str, str]] = {
    "If-Match": "The ETag of what you saw: changed in between, it is refused (412).",
    "If-None-Match": "GET: the ETag you have (304 if it is still that). PUT: `*`, only if there is none yet.",
    "Idempotency-Key": "The same key again, within a day, stores nothing new and gives the same answer.",
}
PROBLEMS_OF_ALL: Final = (429, 503)


async def show(ask: Ask[None, Nothing]) -> Reply:
    """The document."""
    return Reply(raw=packed())


@cache
def packed() -> bytes:
    """The document of the route table, as JSON."""
    from shike.server.table import TABLE  # which this stands in itself

    return msgspec.json.encode(document(TABLE))


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document of these routes."""
    kinds = {kind: None for route in routes for kind in (route.body, route.query, route.answer, Problem) if kind}
    kinds.pop(bytes, None)
    schemas, components = msgspec.json.schema_components(list(kinds), schema_hook=_other, ref_template=REF)
    by_kind = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.verb.lower()] = _operation(route, by_kind, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Shike",
            "version": __version__,
            "summary": "The right work, at the right moment, on the right worker.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An access key."}},
        },
        "security": [{"key": []}],
    }


def _other(kind: type) -> dict[str, Any]:
    if issubclass(kind, Counter):
        return {"type": "object", "additionalProperties": {"type": "integer"}}
    raise NotImplementedError


def _operation(route: Route, kinds: dict[Any, Any], components: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": f"{route.handler.__module__.rpartition('.')[2]}_{route.handler.__name__}",
        "summary": route.words,
        "description": _who(route),
        "tags": [route.handler.__module__.rpartition(".")[2]],
        "parameters": [*_path(route), *_query(route, components), *_headers(route)],
        "responses": _responses(route, kinds),
    }
    if route.role is None:
        found["security"] = []
    if route.body is bytes:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": {}}}}
        if route.example is not None:
            found["requestBody"]["content"]["application/json"]["example"] = route.example
    elif route.body is not None:
        content: dict[str, Any] = {"schema": kinds[route.body]}
        if route.example is not None:
            content["example"] = route.example
        required = any(field.required for field in msgspec.structs.fields(route.body))
        found["requestBody"] = {"required": required, "content": {"application/json": content}}
    return found


def _who(route: Route) -> str:
    if route.rule is Rule.OPEN:
        return "Open to all."
    if route.role is None:
        return f"For whoever signs what is sent. Rule: {route.rule}. Log: {route.logged}."
    return f"Role: {' or '.join((route.role, *route.also))}. Rule: {route.rule}. Log: {route.logged}."


def _path(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": PATH_WORDS.get(name, {"type": "string", "minLength": 1}),
        }
        for name in PATH.findall(route.path)
    ]


def _query(route: Route, components: dict[str, Any]) -> list[dict[str, Any]]:
    shape = components.get(getattr(route.query, "__name__", ""), {})
    required = shape.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema, "style": "form", "explode": False}
        for name, schema in shape.get("properties", {}).items()
    ]


def _headers(route: Route) -> list[dict[str, Any]]:
    names = []
    versioned = "{run}" in route.path or "{group}" in route.path
    if versioned and route.verb != "GET":
        names.append("If-Match")
    if versioned and route.verb in ("GET", "PUT"):
        names.append("If-None-Match")
    if route.path in (f"{API}/runs", f"{API}/runs/bulk", f"{API}/graphs") and route.verb == "POST":
        names.append("Idempotency-Key")
    return [
        {"name": name, "in": "header", "required": False, "description": HEADERS[name], "schema": {"type": "string"}}
        for name in names
    ]


def _responses(route: Route, kinds: dict[Any, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": route.words}
    if route.answer is not None:
        good["content"] = {"application/json": {"schema": kinds[route.answer]}}
    elif route.status != 204:
        kind = "object" if route.media_type.endswith("json") else "string"
        good["content"] = {route.media_type: {"schema": {"type": kind}}}
    found = {str(route.status): good}
    if route.status == 201:
        found["200"] = {**good, "description": "It was there before."}
    problem = {MEDIA_TYPE: {"schema": kinds[Problem]}}
    for status in _problems(route):
        found[str(status)] = {"description": TITLES[status], "content": problem}
    if "If-None-Match" in [header["name"] for header in _headers(route)] and route.verb == "GET":
        found["304"] = {"description": "It is still what you have."}
    return found


def _problems(route: Route) -> list[int]:
    if route.rule is Rule.OPEN:
        return [503]
    found = [401, 403, 404, 422, *PROBLEMS_OF_ALL]
    if route.verb != "GET":
        found += [409, 410, 412, 507]
    if route.body is not None:
        found += [400, 413, 415]
    return sorted(found)


ROUTES = (
    Route(
        verb="GET", path=f"{API}/openapi.json", role=Role.VIEWER, also=(Role.WORKER, Role.SCHEDULER), rule=Rule.ROLE,
        handler=show, words="This document.",
    ),
)  # fmt: skip
