"""The store on Redis: one server, TLS, or a cluster; also Valkey and what else speaks their protocol.

Read `docs/decisions/0010-redis-layout.md` first (which keys there are), then `lua/base.lua` and a script a verb. On
this side: `options` (the URL), `wire` and `server`, `cluster` (how a script is called), `bodies` and `records` (how
things are packed), `tape` (how a script is told), `news` (hints), and the verbs, a file each.
"""

from shike.store.redis.store import RedisStore

__all__ = ["RedisStore"]
