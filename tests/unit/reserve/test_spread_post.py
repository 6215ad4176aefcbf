"""The queue of commands, in process and on Redis: each goes to its part, and its answer to its asker (R1.10)."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from shike.errors import BadCommand, BadStoreURL, ClerkClosed, StoreUnavailable
from shike.reserve import commands
from shike.reserve.events import Expired
from shike.reserve.model import Reason, Refusal
from shike.reserve.spread import post as posts
from shike.reserve.spread import redis_post
from shike.reserve.spread.post import Answer, Ask, MemoryPost, Post, heard, told
from shike.reserve.spread.redis_post import RedisPost
from tests import servers

KINDS = [pytest.param("memory"), pytest.param("redis", marks=pytest.mark.servers)]


def made(kind: str) -> Post:
    return MemoryPost() if kind == "memory" else RedisPost(servers.url("redis"), f"t{secrets.token_hex(6)}")


def ask(number: int, ledger: str = "G71") -> Ask:
    return Ask(number, "me", ledger, commands.Expire(f"e{number}", 7, number))


@pytest.mark.parametrize("kind", KINDS)
def test_commands_wait_in_their_parts_and_answers_for_their_askers(kind: str) -> None:
    async def story() -> None:
        post = made(kind)
        await post.open()
        try:
            await post.send([(3, ask(1)), (5, ask(2)), (3, ask(3))])
            assert [one.id for one in await post.take([3], 10, 5.0)] == [1, 3]
            assert await post.take([3, 4], 10, 0.05) == []
            (other,) = await post.take([5, 3], 10, 5.0)
            assert other == ask(2)
            answer = Answer(2, event=Expired(7, "e2", 2))
            await post.answer([("me", answer), ("you", Answer(9, refusal=Refusal(Reason.FULL)))])
            assert await post.answers("me", 10, 5.0) == [answer]
            assert (await post.answers("you", 10, 5.0))[0].refusal == Refusal(Reason.FULL)
        finally:
            await post.close()

    asyncio.run(story())


@pytest.mark.parametrize("kind", KINDS)
def test_who_waits_is_woken(kind: str) -> None:
    async def story() -> None:
        post = made(kind)
        await post.open()
        try:
            waiting = asyncio.create_task(post.take([1, 2], 10, 30.0))
            await asyncio.sleep(0.05)
            await post.send([(2, ask(4))])
            assert [one.id for one in await waiting] == [4]
        finally:
            await post.close()

    asyncio.run(story())


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_queue_takes_no_more(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (posts, redis_post):
        monkeypatch.setattr(module, "WAITING_MAX", 2)

    async def story() -> None:
        post = made(kind)
        await post.open()
        try:
            await post.send([(1, ask(1)), (1, ask(2))])
            with pytest.raises(ClerkClosed):
                await post.send([(1, ask(3))])
            await post.send([(2, ask(3))])
        finally:
            await post.close()

    asyncio.run(story())


def test_errors_keep_their_kind_as_far_as_an_asker_can_act_on_it() -> None:
    for error in (BadCommand("no such pool"), ClerkClosed("later"), StoreUnavailable("gone")):
        back = heard(told(ask(1), error))
        assert type(back) is type(error) and str(back) == str(error)
    assert isinstance(heard(Answer(1, error="KeyError", words="?")), StoreUnavailable)


def test_a_queue_that_is_not_there_is_told_of() -> None:
    async def story() -> None:
        with pytest.raises(BadStoreURL):
            await RedisPost("redis://localhost:port").open()
        gone = RedisPost(f"redis://127.0.0.1:{servers.free_port()}/0")
        with pytest.raises(StoreUnavailable):
            await gone.open()
        await gone.close()

    asyncio.run(story())
