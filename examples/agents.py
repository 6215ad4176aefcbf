"""Four agents at work on one plan: two gather, one writes, one publishes, and a person says yes in between.

Shows a graph of work: runs that wait for each other and take each other's results, an agent that fails and is tried
again, a review that chooses the branch, an approval that counts once, and the story of it all.

    shike up examples/agents.py                      # in one terminal
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
from shike.operate import runs

app = shike.Shike("sqlite:///agents.db")
SOON = shike.Backoff(attempts=3, base_seconds=2, jitter=0)


@app.task(name="library")
async def library(topic: str) -> str:
    """The first agent looks things up."""
    return f"three books on {topic}"


@app.task(name="web", retry=SOON)
async def web(topic: str) -> str:
    """The second one searches, and its search is down at first."""
    if shike.current().attempt == 1:
        raise ConnectionError("the search does not answer")
    return f"seven pages on {topic}"


@app.task(name="writer")
async def writer(topic: str, found: list[str]) -> str:
    """The third one writes a draft from what the others found."""
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
    """What became of each run of a plan, and when, a line each."""
    told = []
    for number in range(size):
        facts, steps = await runs.show(app.client, int(graph) + (number << 8))  # ids of one graph follow each other
        for step in steps:
            if step.at is not None and step.what not in ("created", "due", "claimed", "started"):
                told.append((step.at, f"{step.at:%H:%M:%S} {facts.task}: {step.what} {step.words}".rstrip()))
    return [line for _, line in sorted(told, key=lambda one: one[0])]


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
