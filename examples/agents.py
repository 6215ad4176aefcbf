"""Four agents at work on one plan: two gather, one writes, one publishes, and a person says yes in between.

Shows a graph of work: runs that wait for each other and take each other's results, agents that are chosen by what they
can do (tags), one that fails and is tried again, a review that chooses the branch, an approval that counts once, and
the trace of it all: who did what, for how long, and why nothing happened in between.

    shike up examples/agents.py --tags web,pen       # in one terminal: this worker can search and write
    python examples/agents.py plan "tide tables"     # in another: prints the id of each run
    shike approvals list --app examples/agents.py    # what waits for you
    shike approvals approve RUN --digest DIGEST --app examples/agents.py
    python examples/agents.py story GRAPH
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import shike
from shike.graph import Graph
from shike.operate import traces
from shike.operate.waterfall import seconds

app = shike.Shike("sqlite:///agents.db")
SOON = shike.Backoff(attempts=3, base_seconds=2, jitter=0)
WHO_SEARCHES = shike.Route(required=("web",))
WHO_WRITES = shike.Route(required=("pen",))


@app.task(name="library")
async def library(topic: str) -> str:
    """The first agent looks things up."""
    return f"three books on {topic}"


@app.task(name="web", retry=SOON, route=WHO_SEARCHES)
async def web(topic: str) -> str:
    """The second one searches, and its search is down at first."""
    with shike.step("search"):
        if shike.current().attempt == 1:
            raise ConnectionError("the search does not answer")
    return f"seven pages on {topic}"


@app.task(name="writer", route=WHO_WRITES)
async def writer(topic: str, found: list[str]) -> str:
    """The third one writes a draft from what the others found."""
    with shike.step("draft"):
        return f"{topic}: {' and '.join(found)}"


@app.task(name="review")
async def review(draft: str) -> str:
    """It also judges the draft; what it returns chooses how the plan goes on."""
    return "good" if "books" in draft else "thin"


@app.task(name="publish")
def publish(draft: str) -> None:
    """The fourth one publishes, once a person has approved of exactly this draft."""
    with Path("published.csv").open("a", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerow([draft])


@app.task(name="apologise")
def apologise(topic: str) -> None:
    """Or it says that there is nothing to publish."""
    with Path("published.csv").open("a", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerow([f"nothing on {topic}"])


def plan(topic: str) -> Graph:
    """The whole plan; nothing of it is stored yet."""
    graph = app.graph()
    books, pages = graph.add(library.bind(topic)), graph.add(web.bind(topic))
    draft = graph.add(writer.bind(topic, [books.result, pages.result]))
    verdict = graph.add(review.bind(draft.result))
    graph.add(publish.bind(draft.result), approval="1d").when(verdict, "good")
    graph.add(apologise.bind(topic)).when(verdict, "thin")
    return graph


async def story(graph: str, size: int = 6) -> list[str]:
    """The trace of each run of a plan, a line for each stretch of its life."""
    store, told = await app.client.store(), []
    for number in range(size):
        trace = await traces.of_run(store, int(graph) + (number << 8))  # ids of one graph follow each other
        told.append(f"{trace.task}: {trace.state.lower()}, {trace.why}")
        for bar in trace.bars:
            told.append(f"  {seconds(bar.end - bar.start):>8}  {'  ' * bar.depth}{bar.label}: {bar.words}".rstrip(": "))
    return told


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["plan", topic]:
            stored = plan(topic).submit()
            for node in stored.nodes:
                print(node.handle)
            print("graph", stored.id)
        case ["story", graph]:
            print("\n".join(app.client.sync(story(graph))))
        case _:
            print(__doc__)
