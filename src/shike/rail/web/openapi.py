"""The OpenAPI 3.1 document of the railway, made of its route table and of the types that read and write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import msgspec

from shike import __version__
from shike.rail.web.ask import Ask
from shike.rail.web.problems import TELLING, RailProblem
from shike.rail.web.routes import API, Route, Rule
from shike.server.ask import Nothing, Reply
from shike.server.problems import MEDIA_TYPE, TITLES

REF: Final = "#/components/schemas/{name}"
NAMES: Final = re.compile(r"\{(\w+)\}")
EXAMPLES: Final = {"train": "ICE 948", "day": "2019-05-03", "run": "1"}
KEY_WORDS: Final = "The same key again means the same order, and gives the same answer."
TITLED: Final = {**TITLES, **TELLING}


async def show(ask: Ask[None, Nothing]) -> Reply:
    """The document."""
    return Reply(raw=packed())


@cache
def packed() -> bytes:
    """The document of the route table, as JSON."""
    from shike.rail.web.table import TABLE  # which this stands in itself

    return msgspec.json.encode(
        document([route for route in TABLE if not route.is_page and route.rule is not Rule.FILE])
    )


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document of these routes."""
    kinds = {kind: None for route in routes for kind in (route.body, route.query, route.answer, RailProblem) if kind}
    schemas, components = msgspec.json.schema_components(list(kinds), ref_template=REF)
    by_kind = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.verb.lower()] = _operation(route, by_kind, components)
    keys = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Shike's railway",
            "version": __version__,
            "summary": "Seats that are sold many times along a line.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "passenger": {**keys, "description": "The token of a session."},
                "staff": {**keys, "description": "An access key."},
            },
        },
    }


def _operation(route: Route, kinds: dict[Any, Any], components: dict[str, Any]) -> dict[str, Any]:
    room = route.handler.__module__.rpartition(".")[2]
    found: dict[str, Any] = {
        "operationId": f"{room}_{route.handler.__name__}",
        "summary": route.words,
        "description": f"Rule: {route.rule}." + (f" Role: {route.role}." if route.role is not None else ""),
        "tags": [room],
        "parameters": [*_path(route), *_query(route, components), *_headers(route)],
        "responses": _responses(route, kinds),
    }
    if route.rule not in (Rule.SIGNED, Rule.STEP):
        found["security"] = _security(route)
    if route.body is not None:
        content: dict[str, Any] = {"schema": kinds[route.body]}
        if route.example is not None:
            content["example"] = route.example
        required = any(field.required for field in msgspec.structs.fields(route.body))
        found["requestBody"] = {"required": required, "content": {"application/json": content}}
    return found


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.rule is Rule.ROLE:
        return [{"staff": []}]
    return [{"passenger": []}, {"staff": []}, {}] if route.rule is Rule.OPEN else [{"passenger": []}]


def _path(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, **({"example": EXAMPLES[name]} if name in EXAMPLES else {})},
        }
        for name in NAMES.findall(route.path)
    ]


def _query(route: Route, components: dict[str, Any]) -> list[dict[str, Any]]:
    shape = components.get(getattr(route.query, "__name__", ""), {})
    required = shape.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in shape.get("properties", {}).items()
    ]


def _headers(route: Route) -> list[dict[str, Any]]:
    if route.verb != "POST" or route.status != 201 or route.body is None:
        return []
    schema = {"type": "string", "maxLength": 200}
    return [{"name": "Idempotency-Key", "in": "header", "required": False, "description": KEY_WORDS, "schema": schema}]


def _responses(route: Route, kinds: dict[Any, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": route.words}
    if route.answer is not None:
        good["content"] = {"application/json": {"schema": kinds[route.answer]}}
    found = {str(route.status): good}
    if route.status == 201:
        found["200"] = {"description": "It was there before."}
    problem = {MEDIA_TYPE: {"schema": kinds[RailProblem]}}
    for status in _problems(route):
        found[str(status)] = {"description": TITLED[status], "content": problem}
    return found


def _problems(route: Route) -> list[int]:
    found = [401, 404, 422, 429, 503]
    if route.verb != "GET":
        found += [403, 409, 425]
    elif route.rule is Rule.ROLE:
        found.append(403)
    if route.body is not None:
        found += [400, 413, 415]
    return sorted(found)


ROUTES = (
    Route(
        verb="GET", path=f"{API}/openapi.json", rule=Rule.OPEN, handler=show, words="This document.",
    ),
)  # fmt: skip
