"""Probes: what proves a link, and what no longer does."""

from __future__ import annotations

from server.realtime.probe import OVERDUE, Probe


def healthy(probe: Probe) -> bool:
    return probe.healthy


def test_a_link_is_unhealthy_until_one_comes_back() -> None:
    probe = Probe()
    assert not healthy(probe)
    nonce = probe.send(1.0)
    probe.came(b"something else")
    assert not healthy(probe)
    probe.came(nonce)
    assert healthy(probe)
    assert probe.proven


def test_the_oldest_that_is_missing_is_told_once() -> None:
    probe = Probe()
    probe.came(probe.send(1.0))
    probe.send(2.0)
    for _ in range(OVERDUE - 1):
        assert probe.tick() is None
        probe.send(3.0)
    assert healthy(probe)
    assert probe.tick() == 2.0
    assert not healthy(probe)
    assert probe.proven
    assert probe.tick() is None


def test_one_that_comes_twice_proves_nothing() -> None:
    probe = Probe()
    nonce = probe.send(1.0)
    probe.came(nonce)
    probe.doubt()
    probe.came(nonce)
    assert not healthy(probe)


def test_one_from_before_a_failure_proves_the_listening_side_alone() -> None:
    probe = Probe()
    nonce = probe.send(1.0)
    probe.doubt()
    probe.came(nonce)
    assert not healthy(probe)
    assert probe.proven
    probe.came(probe.send(2.0))
    assert healthy(probe)


def test_a_new_connection_has_to_prove_itself() -> None:
    probe = Probe()
    probe.came(probe.send(1.0))
    before = probe.send(2.0)
    probe.renew()
    probe.came(before)
    assert not healthy(probe)
    assert probe.proven is False
    for _ in range(OVERDUE):
        assert probe.tick() is None
