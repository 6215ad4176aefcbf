"""A B+ tree: sorted leaves in a chain, under a few levels of signposts (Bayer and McCreight 1972; Comer 1979).

What databases keep on disk, since a node is a page. In memory its point is that a node is one short array.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TypeAlias

from shike.timer.base import T
from shike.timer.table import Entry, Key, Table

NODE_MAX = 64  # keys of a leaf, or children of an inner node
NODE_MIN = NODE_MAX // 3
_PAST_ANY_TOKEN = float("inf")


class _Leaf:
    __slots__ = ("after", "keys")

    def __init__(self, keys: list[Key], after: _Leaf | None) -> None:
        self.keys = keys
        self.after = after

    def __len__(self) -> int:
        return len(self.keys)

    def split(self) -> tuple[Key, _Leaf]:
        half = len(self.keys) // 2
        self.after = _Leaf(self.keys[half:], self.after)
        del self.keys[half:]
        return self.after.keys[0], self.after

    def join(self, post: Key, right: _Leaf) -> None:
        self.keys += right.keys
        self.after = right.after


class _Inner:
    """`nodes[i]` holds keys before `posts[i]`; `nodes[i + 1]` holds that key and later ones."""

    __slots__ = ("nodes", "posts")

    def __init__(self, posts: list[Key], nodes: list[_Node]) -> None:
        self.posts = posts
        self.nodes = nodes

    def __len__(self) -> int:
        return len(self.nodes)

    def split(self) -> tuple[Key, _Inner]:
        half = len(self.nodes) // 2
        post, right = self.posts[half - 1], _Inner(self.posts[half:], self.nodes[half:])
        del self.posts[half - 1 :], self.nodes[half:]
        return post, right

    def join(self, post: Key, right: _Inner) -> None:
        self.posts += [post, *right.posts]
        self.nodes += right.nodes


_Node: TypeAlias = "_Leaf | _Inner"
_Path = list[tuple[_Inner, int]]  # the inner nodes from the root down, and which child was taken


class BPlusTree(Table[T]):
    """A `TimerQueue` in a B+ tree. Insert, cancel and pop cost O(log n); a range is a walk along the leaves."""

    def __init__(self) -> None:
        super().__init__()
        self._first = _Leaf([], None)
        self._root: _Node = self._first
        self._leaves = 1

    def _leaf_of(self, key: Key) -> tuple[_Leaf, _Path]:
        node, path = self._root, []
        while isinstance(node, _Inner):
            at = bisect_right(node.posts, key)
            path.append((node, at))
            node = node.nodes[at]
        return node, path

    def _put(self, entry: Entry) -> None:
        leaf, path = self._leaf_of(entry.key)
        insort(leaf.keys, entry.key)
        node: _Node = leaf
        while len(node) > NODE_MAX:
            post, right = node.split()
            self._leaves += isinstance(right, _Leaf)
            if not path:
                self._root = _Inner([post], [node, right])
                return
            parent, at = path.pop()
            parent.posts.insert(at, post)
            parent.nodes.insert(at + 1, right)
            node = parent

    def _remove(self, entry: Entry) -> None:
        leaf, path = self._leaf_of(entry.key)
        del leaf.keys[bisect_left(leaf.keys, entry.key)]
        self._mend(leaf, path)

    def _take(self, now: int, most: int) -> list[Key]:
        taken: list[Key] = []
        while len(taken) < most:
            leaf = self._first
            end = bisect_right(leaf.keys, (now, _PAST_ANY_TOKEN), 0, min(len(leaf), most - len(taken)))
            if end == 0:
                break
            taken += leaf.keys[:end]
            del leaf.keys[:end]
            self._mend(leaf, self._leftmost())
        return taken

    def _leftmost(self) -> _Path:
        path, node = [], self._root
        while isinstance(node, _Inner):
            path.append((node, 0))
            node = node.nodes[0]
        return path

    def _mend(self, node: _Node, path: _Path) -> None:
        """A node that holds too little joins a neighbour; if that makes one too many, the two share evenly."""
        while path and len(node) < NODE_MIN:
            parent, at = path.pop()
            at = max(at - 1, 0)
            left, right = parent.nodes[at], parent.nodes[at + 1]
            left.join(parent.posts.pop(at), right)  # type: ignore[arg-type]  # neighbours are of one kind
            del parent.nodes[at + 1]
            self._leaves -= isinstance(left, _Leaf)
            if len(left) > NODE_MAX:
                post, right = left.split()
                parent.posts.insert(at, post)
                parent.nodes.insert(at + 1, right)
                self._leaves += isinstance(left, _Leaf)
            node = parent
        while isinstance(self._root, _Inner) and len(self._root) == 1:
            self._root = self._root.nodes[0]

    def _clear(self) -> None:
        leaf: _Leaf | None = self._first
        while leaf is not None:  # by hand: a long chain would be let go of by recursion
            leaf.after, leaf = None, leaf.after
        self._root = self._first = _Leaf([], None)
        self._leaves = 1

    def _shape(self) -> tuple[int, int, int]:
        return 0, self._leaves, min(len(self._entries), NODE_MAX)

    def next_due(self) -> int | None:
        return self._first.keys[0][0] if self._entries else None
