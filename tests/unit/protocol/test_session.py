"""The conversation with one client, payload by payload: no loop, no socket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from server.protocol.codec import JSON, MAX_INT, MSGPACK
from server.protocol.session import ClientSession, Goodbye, Reply, Request, State, error, result

LIMIT = 3


def session(state: State = State.WAITING) -> ClientSession:
    made = ClientSession(JSON, LIMIT)
    made.state = state
    return made


def say(to: ClientSession, **frame: Any) -> Request | Reply | Goodbye | None:
    return to.receive(json.dumps(frame).encode())


def state_of(client: ClientSession) -> State:
    return client.state


def refusal(said: Request | Reply | Goodbye | None) -> tuple[Any, str, str | None]:
    """The id, code and field of an error answered at once."""
    assert isinstance(said, Reply)
    body = said.body
    return body["id"], body["error"]["code"], body["error"].get("field")


def test_connect_comes_first_and_once() -> None:
    client = session()
    assert refusal(say(client, id=1, cmd="ping")) == (1, "unauthenticated", None)
    assert say(client, id=2, cmd="connect", params={"token": "t"}) == Request(
        2, "connect", {"token": "t"}
    )
    assert state_of(client) is State.CONNECTING
    assert refusal(say(client, id=3, cmd="connect")) == (3, "invalid", "cmd")
    assert say(client, id=4, cmd="ping") == Request(4, "ping", {})
    client.connected()
    assert state_of(client) is State.LIVE
    assert refusal(say(client, id=5, cmd="connect")) == (5, "invalid", "cmd")
    assert say(client, id=6, cmd="ping", params={"a": 1}) == Request(6, "ping", {"a": 1})


def test_a_refused_connect_may_be_tried_again() -> None:
    client = session()
    say(client, id=1, cmd="connect")
    client.refused()
    assert client.state is State.WAITING
    assert isinstance(say(client, id=2, cmd="connect"), Request)


def test_what_comes_late_changes_nothing() -> None:
    for state in (State.WAITING, State.LIVE, State.CLOSED):
        client = session(state)
        client.refused()
        assert client.state is state
        if state is not State.LIVE:
            client.connected()
            assert client.state is state


def test_nothing_is_heard_after_the_end() -> None:
    client = session(State.CLOSED)
    assert say(client, id=1, cmd="ping") is None
    assert client.receive(b"\xff") is None


@pytest.mark.parametrize("ident", [0, 1, -1, MAX_INT, -MAX_INT, "", "a", "x" * 64])
def test_an_id_is_the_clients_own(ident: Any) -> None:
    assert say(session(State.LIVE), id=ident, cmd="ping") == Request(ident, "ping", {})


@pytest.mark.parametrize("ident", [None, True, 1.0, 1.5, [], {}, "x" * 65])
def test_a_frame_without_a_usable_id_is_answered_with_null(ident: Any) -> None:
    assert refusal(say(session(State.LIVE), id=ident, cmd="ping")) == (None, "invalid", "id")
    assert refusal(session(State.LIVE).receive(b'{"cmd":"ping"}')) == (None, "invalid", "id")


@pytest.mark.parametrize("cmd", [None, 1, ["ping"], {}])
def test_a_command_has_a_name(cmd: Any) -> None:
    assert refusal(say(session(State.LIVE), id=1, cmd=cmd)) == (1, "invalid", "cmd")


@pytest.mark.parametrize("params", [None, 1, [], "x"])
def test_params_are_a_map(params: Any) -> None:
    said = say(session(State.LIVE), id=1, cmd="ping", params=params)
    assert refusal(said) == (1, "invalid", "params")


def test_what_is_no_frame_again_and_again_ends_the_conversation() -> None:
    client = session(State.LIVE)
    for _ in range(LIMIT - 1):
        assert refusal(client.receive(b"no json")) == (None, "invalid", None)
    said = client.receive(b"no json")
    assert isinstance(said, Goodbye)
    assert said.code == 4501
    assert client.state is State.CLOSED


def test_a_frame_in_between_forgives_what_was_none() -> None:
    client = session(State.LIVE)
    for _ in range(4):
        for _ in range(LIMIT - 1):
            assert isinstance(client.receive(b"[]"), Reply)
        assert isinstance(say(client, id=1, cmd="ping"), Request)


def test_a_command_before_connect_is_a_frame_all_the_same() -> None:
    client = session()
    for number in range(2 * LIMIT):
        assert refusal(say(client, id=number, cmd="ping")) == (number, "unauthenticated", None)


@pytest.mark.parametrize("codec", [JSON, MSGPACK], ids=["json", "msgpack"])
@given(payload=st.binary(max_size=60))
def test_any_bytes_are_answered(codec: Any, payload: bytes) -> None:
    client = ClientSession(codec, LIMIT)
    said = client.receive(payload)
    assert isinstance(said, Request | Reply)


def test_answers_carry_the_id_of_what_they_answer() -> None:
    assert result(7, {"a": 1}) == {"id": 7, "result": {"a": 1}}
    assert error(None, {"code": "invalid"}) == {"id": None, "error": {"code": "invalid"}}


class Conversation(RuleBasedStateMachine):
    """Any order of things, against the table at the top of the module."""

    def __init__(self) -> None:
        super().__init__()
        self.client = session()
        self.state = State.WAITING
        self.bad = 0

    @rule(cmd=st.sampled_from(["connect", "ping", "message.send"]))
    def command(self, cmd: str) -> None:
        said = say(self.client, id=1, cmd=cmd)
        if self.state is State.CLOSED:
            assert said is None
            return
        self.bad = 0
        if self.state is State.WAITING and cmd == "connect":
            self.state = State.CONNECTING
            assert isinstance(said, Request)
        elif self.state is State.WAITING:
            assert refusal(said)[1] == "unauthenticated"
        elif cmd == "connect":
            assert refusal(said)[1] == "invalid"
        else:
            assert isinstance(said, Request)

    @rule(payload=st.sampled_from([b"", b"[]", b"{}", b'{"id":1}', b"\xff"]))
    def no_frame(self, payload: bytes) -> None:
        said = self.client.receive(payload)
        if self.state is State.CLOSED:
            assert said is None
            return
        self.bad += 1
        if self.bad == LIMIT:
            self.state = State.CLOSED
            assert isinstance(said, Goodbye)
        else:
            assert refusal(said)[1] == "invalid"

    @precondition(lambda self: self.state is State.CONNECTING)
    @rule(accepted=st.booleans())
    def answered(self, accepted: bool) -> None:
        if accepted:
            self.client.connected()
        else:
            self.client.refused()
        self.state = State.LIVE if accepted else State.WAITING

    def teardown(self) -> None:
        assert self.client.state is self.state


TestConversation = Conversation.TestCase
