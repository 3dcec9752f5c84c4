"""Subscriptions end as what is wanted, whatever is asked for meanwhile, and in whatever order."""

from __future__ import annotations

import random
from collections import deque

import pytest

from server.realtime.subscriptions import Due, Subscriptions


def test_a_topic_is_sent_once_and_stands_when_confirmed() -> None:
    topics = Subscriptions()
    assert topics.want("a")
    assert not topics.want("a")
    assert topics.take() == Due(["a"], [], [])
    assert topics.take() == Due([], [], [])
    assert topics.began("a")
    assert "a" in topics
    assert topics.unwant("a")
    assert not topics.unwant("a")
    assert "a" not in topics
    assert topics.take() == Due([], ["a"], [])
    assert topics.ended("a")
    assert topics.take() == Due([], [], [])


def test_what_was_never_sent_is_never_ended() -> None:
    topics = Subscriptions()
    topics.want("a")
    topics.unwant("a")
    assert topics.take() == Due([], [], [])


def test_an_end_waits_for_the_beginning() -> None:
    topics = Subscriptions()
    topics.want("a")
    topics.take()
    topics.unwant("a")
    assert topics.take() == Due([], [], [])
    assert not topics.began("a")
    assert topics.take() == Due([], ["a"], [])


def test_a_beginning_waits_for_the_end() -> None:
    topics = Subscriptions()
    topics.want("a")
    topics.take()
    topics.began("a")
    topics.unwant("a")
    topics.take()
    topics.want("a")
    assert topics.take() == Due([], [], [])
    assert not topics.ended("a")
    assert topics.take() == Due(["a"], [], [])


def test_what_was_let_go_and_wanted_again_at_once_still_stands() -> None:
    topics = Subscriptions()
    topics.want("a")
    topics.take()
    topics.began("a")
    topics.unwant("a")
    topics.want("a")
    assert topics.take() == Due([], [], ["a"])


def test_a_new_connection_has_everything_to_send() -> None:
    topics = Subscriptions()
    for topic in "abc":
        topics.want(topic)
    topics.take()
    topics.began("a")
    topics.unwant("b")
    topics.lost()
    assert topics.take() == Due(["a", "c"], [], [])


@pytest.mark.parametrize("seed", range(50))
def test_any_sequence_ends_right(seed: int) -> None:
    """Against a Redis of a few lines, that answers each topic's commands in their order."""
    chance = random.Random(seed)
    names = [f"topic:{number}" for number in range(5)]
    topics = Subscriptions()
    wanted: set[str] = set()
    told: set[str] = set()  # that are known to have arrived since they were wanted last
    subscribed: set[str] = set()
    replies: dict[str, deque[str]] = {name: deque() for name in names}

    def send() -> None:
        due = topics.take()
        for topic in due.subscribe:
            assert topic not in subscribed
            subscribed.add(topic)
            replies[topic].append("began")
        for topic in due.unsubscribe:
            assert topic in subscribed
            subscribed.discard(topic)
            replies[topic].append("ended")
        told.update(due.standing)
        assert all(len(waiting) <= 1 for waiting in replies.values())

    def confirm(topic: str) -> None:
        if replies[topic].popleft() == "ended":
            topics.ended(topic)
        elif topics.began(topic):
            told.add(topic)

    for _ in range(400):
        match chance.randrange(8):
            case 0 | 1:
                wanted.add(topic := chance.choice(names))
                topics.want(topic)
            case 2 | 3:
                wanted.discard(topic := chance.choice(names))
                told.discard(topic)
                topics.unwant(topic)
            case 4 | 5:
                send()
            case 6:
                if waiting := [name for name in names if replies[name]]:
                    confirm(chance.choice(waiting))
            case _ if chance.random() < 0.1:
                topics.lost()
                subscribed.clear()
                told.clear()
                for queue in replies.values():
                    queue.clear()
        assert told <= wanted
    for _ in range(3):
        send()
        for name in names:
            while replies[name]:
                confirm(name)
    assert subscribed == wanted == told == {name for name in names if name in topics}
