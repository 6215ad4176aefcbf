"""`shike`, killed as it carries history: when the DIES_AFTER-th page is in the archive, and Redis does not know it."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from shike.cli import main
from shike.scheduler import archivist
from shike.store.redis.base import Base

archivist.ROUND_SECONDS = 0.2
archivist.PAGE_RECORDS = 40
at = Base.at
left = int(os.environ.get("DIES_AFTER", "-1"))


async def dying(self: Base, bucket: int, name: str, *words: Any) -> Any:
    global left
    if name == "carry" and words[0] == "done":
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return await at(self, bucket, name, *words)


Base.at = dying  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
