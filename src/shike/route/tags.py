"""Tags and weights of workers, and the route of a task, checked where they are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from shike.bounds import KEY_CHARS_MAX, TAGS_MAX
from shike.errors import BadInput
from shike.model import OnGone, Route
from shike.route.bounds import SLOTS_MAX, TAG_CHARS_MAX
from shike.task import is_text

ANY: Final = "any"  # no route: the shared lane, from which whoever is free claims
WEIGHT_MIN: Final = 0.01
WEIGHT_MAX: Final = 100.0

WORKER_TAG: Final = "worker:"  # … and its name: a tag that every worker has, so that a run can be meant for one


def check_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Short words, none twice; raises `BadInput`."""
    if isinstance(tags, str) or not isinstance(tags, Sequence):
        raise BadInput(f"tags={tags!r}: give several words: tags=['gpu', 'eu-west']")
    if len(tags) > TAGS_MAX:
        raise BadInput(f"{len(tags)} tags are more than {TAGS_MAX}")
    for tag in tags:
        is_word = isinstance(tag, str) and 0 < len(tag) <= TAG_CHARS_MAX and tag.isprintable()
        if not is_word or any(sign.isspace() or sign == "," for sign in tag):
            raise BadInput(f"the tag {tag!r} is no word of at most {TAG_CHARS_MAX} signs, without commas")
    return tuple(dict.fromkeys(tags))


def route_of(route: Any) -> Route | None:
    """A checked route from its name or a `Route`; None for `any`. Raises `UnknownRoute` or `BadInput`."""
    from shike.route.registry import check  # `any` needs none of it

    if route is None:
        return None
    if route == ANY:
        return None
    if isinstance(route, str):
        return Route(by=check(route))
    if not isinstance(route, Route):
        raise BadInput(f"route={route!r:.60} is neither the name of a route nor a Route")
    if route.by == ANY:
        raise BadInput("any is no way to choose among workers with tags: leave `by` out, or name another route")
    check(route.by)
    for tags in (route.required, route.preferred, route.anti):
        check_tags(tags)
    if both := set(route.required) & set(route.anti):
        raise BadInput(f"no worker can have {', '.join(sorted(both))} and have it not")
    if isinstance(route.slots, bool) or not isinstance(route.slots, int) or not 1 <= route.slots <= SLOTS_MAX:
        raise BadInput(f"slots={route.slots!r}: a whole number from 1 to {SLOTS_MAX}")
    for word in (route.key, route.affinity, route.session):
        if not isinstance(word, str) or len(word) > KEY_CHARS_MAX or not is_text(word):
            raise BadInput(f"a route's key, affinity and session are texts of at most {KEY_CHARS_MAX} signs")
    if not isinstance(route.on_gone, OnGone):
        raise BadInput(f"on_gone={route.on_gone!r}: one of {', '.join(OnGone)}, as shike.model.OnGone has them")
    return route
