"""What the page does when the server or the network does not behave: closes, gaps, refusals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.scripted import NOW, ORIGIN, Failure, ScriptedServer, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="session")

Enter = Callable[[], Awaitable[ScriptedServer]]


def message(seq: int, body: str, sender: str = "grace", **more: Any) -> dict[str, Any]:
    return {
        "conversation": "c", "message": f"m{seq}", "seq": seq, "sender": sender, "kind": "direct",
        "body": body, "client_id": f"id-{seq}", "sent_at": NOW + seq, "rev": 0, "reactions": [],
    } | more  # fmt: skip


def arrange(server: ScriptedServer, *messages: dict[str, Any], unread: int = 0) -> None:
    """One conversation with Grace, holding these messages."""
    held = list(messages)

    def conversation() -> dict[str, Any]:
        last = held[-1] if held else None
        seq = last["seq"] if last else 0
        return {
            "id": "c", "kind": "one_to_one", "title": "", "last": last, "seq": seq,
            "read": seq - unread, "unread": unread, "state": "open", "at": server.at(),
            "participant_count": 2,
            "participants": [
                {"member": "ada", "name": "Ada Okafor", "role": "participant"},
                {"member": "grace", "name": "Grace Lindqvist", "role": "participant"},
            ],
        }  # fmt: skip

    server.answers["conversation.list"] = lambda _: {
        "conversations": [conversation()], "more": False, "at": server.at(),
    }  # fmt: skip
    server.answers["conversation.get"] = lambda _: conversation()
    server.answers["conversation.history"] = lambda _: {
        "messages": held, "more": False, "at": server.at(),
    }  # fmt: skip


async def open_grace(page: Page) -> None:
    await page.locator(".conversation-row", has_text="Grace Lindqvist").click()
    await expect(page.get_by_role("textbox", name="Message")).to_be_visible()


async def write(page: Page, text: str) -> None:
    await page.get_by_role("textbox", name="Message").fill(text)
    await page.keyboard.press("Enter")


async def test_a_token_is_pasted_and_kept_nowhere(
    page: Page, context: BrowserContext, scripted: ScriptedServer, signed_in: Enter
) -> None:
    await signed_in()
    assert scripted.commands[0]["cmd"] == "connect"
    assert scripted.commands[0]["params"]["token"] == "a-token"
    stored = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    state = await context.storage_state()
    assert "a-token" not in f"{stored} {page.url} {state}"
    await page.reload()
    await expect(page.get_by_label("Token")).to_have_value("")
    await expect(page.get_by_label("Token")).to_have_attribute("type", "password")


async def test_it_comes_back_and_resumes(
    page: Page, scripted: ScriptedServer, signed_in: Enter
) -> None:
    arrange(scripted, message(1, "Before."))
    await signed_in()
    await open_grace(page)
    await expect(page.locator(".message", has_text="Before.")).to_be_visible()
    scripted.event("message.created", message(2, "Live."))
    await expect(page.locator(".message", has_text="Live.")).to_be_visible()
    reads = len(scripted.sent("conversation.list"))

    await scripted.close(4001, "after_ms=2000")
    await expect(page.locator(".banner")).to_contain_text("Reconnecting in")
    again = await scripted.wait_sent("connect", 2)
    assert again["resume"] == {"member:ada": 11}
    assert again["epoch"] == "first"
    scripted.event("message.created", message(2, "Live."), pos=11)
    scripted.event("message.created", message(3, "Missed."), pos=12)
    await expect(page.locator(".message", has_text="Missed.")).to_be_visible()
    await expect(page.locator(".message", has_text="Live.")).to_have_count(1)
    await expect(page.locator(".banner")).to_be_hidden()
    assert len(scripted.sent("conversation.list")) == reads


async def test_reset_reads_everything_anew(
    page: Page, scripted: ScriptedServer, signed_in: Enter
) -> None:
    arrange(scripted, message(1, "Old."))
    await signed_in()
    await open_grace(page)
    await expect(page.locator(".message", has_text="Old.")).to_be_visible()
    arrange(scripted, message(7, "New."))
    scripted.topics = {"member:ada": 400}
    scripted.epoch, scripted.reset = "second", ["member:ada"]
    await scripted.close(4010)
    await expect(page.locator(".message", has_text="New.")).to_be_visible()
    await expect(page.locator(".message", has_text="Old.")).to_have_count(0)
    scripted.event("message.created", message(8, "And on."))
    await expect(page.locator(".message", has_text="And on.")).to_be_visible()


async def test_a_gap_is_not_passed_over(
    page: Page, scripted: ScriptedServer, signed_in: Enter
) -> None:
    arrange(scripted, message(1, "Old."))
    await signed_in()
    await open_grace(page)
    arrange(scripted, message(1, "Old."), message(2, "Lost."), message(3, "After the gap."))
    scripted.reset = ["member:ada"]
    scripted.event("message.created", message(3, "After the gap."), pos=12)
    second = await scripted.wait_sent("connect", 2)
    assert "resume" not in second
    await expect(page.locator(".message", has_text="Lost.")).to_be_visible()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (4500, "token was not accepted"),
        (4503, "operator ended"),
        (4504, "too many places"),
        (4508, "revoked"),
        (4777, "ended this session"),
        (4005, "ran out"),
    ],
)
async def test_it_stays_away_and_says_why(
    page: Page, scripted: ScriptedServer, signed_in: Enter, code: int, words: str
) -> None:
    await signed_in()
    await scripted.close(code)
    await expect(page.locator(".banner.stopped")).to_contain_text(words)
    await page.locator(".banner").get_by_role("button", name="Sign in").click()
    await expect(page.get_by_label("Token")).to_be_visible()
    assert scripted.sockets == 1


async def test_tries_go_on_until_there_is_a_server(
    page: Page, scripted: ScriptedServer, signed_in: Enter
) -> None:
    await signed_in()
    scripted.refuses_sockets = True
    await scripted.close(4004)
    await expect(page.locator(".banner")).to_contain_text("Reconnecting in")
    for _ in range(3):
        tried = scripted.sockets
        await page.get_by_role("button", name="Try now").click()
        await scripted.wait_socket(tried + 1)
    scripted.refuses_sockets = False
    await page.get_by_role("button", name="Try now").click()
    await expect(page.locator(".banner")).to_be_hidden()


async def test_a_repeat_keeps_its_client_id(
    page: Page, scripted: ScriptedServer, signed_in: Enter
) -> None:
    arrange(scripted)
    scripted.silent = {"message.send"}
    await signed_in()
    await open_grace(page)
    await write(page, "Only once.")
    await expect(page.locator(".message.outgoing")).to_contain_text("Sending…")
    first = await scripted.wait_sent("message.send")
    assert first["body"] == "Only once."
    scripted.silent = set()
    result = {"conversation": "c", "message": "m1", "seq": 1, "kind": "direct", "sent_at": NOW}
    scripted.answers["message.send"] = result | {"duplicate": True}
    await scripted.close(4004)
    assert await scripted.wait_sent("message.send", 2) == first
    mine = message(1, "Only once.", "ada", client_id=first["client_id"])
    scripted.event("message.created", mine)
    sent = page.locator(".message", has_text="Only once.")
    await expect(sent).to_have_count(1)
    await expect(sent.get_by_text("Sending…")).to_have_count(0)


async def test_what_was_refused_can_be_tried_again_or_discarded(
    page: Page, scripted: ScriptedServer, signed_in: Enter
) -> None:
    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        raise Failure("unreachable")

    arrange(scripted)
    scripted.answers["message.send"] = refuse
    await signed_in()
    await open_grace(page)
    await write(page, "First try.")
    await write(page, "Never mind.")
    failed = page.locator(".message.failed")
    await expect(failed).to_have_count(2)
    await expect(failed.first).to_contain_text("Not sent. Words for unreachable.")
    await failed.last.get_by_role("button", name="Discard").click()
    await expect(failed).to_have_count(1)

    result = {"conversation": "c", "message": "m1", "seq": 1, "kind": "direct", "sent_at": NOW}
    scripted.answers["message.send"] = result | {"duplicate": False}
    await failed.get_by_role("button", name="Try again").click()
    await expect(failed).to_have_count(0)
    await expect(page.locator(".message", has_text="First try.")).to_be_visible()
    ids = [params["client_id"] for params in scripted.sent("message.send")]
    assert ids[0] == ids[2]
    assert ids[0] != ids[1]


async def test_a_busy_server_is_asked_again(
    page: Page, scripted: ScriptedServer, signed_in: Enter
) -> None:
    def busy_once(params: dict[str, Any]) -> dict[str, Any]:
        if len(scripted.sent("message.send")) == 1:
            raise Failure("rate_limited", retryable=True, retry_after_ms=50)
        return {
            "conversation": "c", "message": "m1", "seq": 1, "kind": "direct", "sent_at": NOW,
            "duplicate": False,
        }  # fmt: skip

    arrange(scripted)
    scripted.answers["message.send"] = busy_once
    await signed_in()
    await open_grace(page)
    await write(page, "Patience.")
    await scripted.wait_sent("message.send", 2)
    await expect(page.locator(".message.outgoing")).to_have_count(0)
    await expect(page.locator(".message.failed")).to_have_count(0)


async def test_a_refused_edit_is_said_aloud(
    page: Page, scripted: ScriptedServer, signed_in: Enter
) -> None:
    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        raise Failure("refused", rule="edit_window")

    arrange(scripted, message(1, "Mine.", "ada"))
    scripted.answers["message.edit"] = refuse
    scripted.answers["connect"] = lambda _: scripted.welcome() | {"now": NOW + 5}
    await signed_in()
    await open_grace(page)
    await page.get_by_role("textbox", name="Message").press("ArrowUp")
    await write(page, "Changed.")
    await expect(page.get_by_role("alert")).to_have_text("Words for refused.")
    await expect(page.locator(".message", has_text="Mine.")).to_be_visible()


async def test_text_is_never_markup(page: Page, scripted: ScriptedServer, signed_in: Enter) -> None:
    evil = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'
    arrange(scripted, message(1, evil))
    scripted.answers["connection.list"] = lambda _: {
        "members": [{"member": "grace", "name": evil, "headline": evil, "avatar": 'javascript:"'}],
        "at": scripted.at(),
    }
    await signed_in()
    await page.locator(".conversation-row").click()
    await expect(page.locator(".bubble")).to_have_text(evil)
    assert await page.locator(".bubble *").count() == 0
    assert await page.evaluate("window.hurt") is None


async def test_what_a_newer_server_says_is_passed_over(
    page: Page, scripted: ScriptedServer, signed_in: Enter
) -> None:
    arrange(scripted, message(1, "Old."))
    await signed_in()
    await open_grace(page)
    scripted.event("hologram.started", {"conversation": "c", "colour": "rose"})
    scripted.signal("mood.changed", {"member": "grace"})
    scripted.event("message.created", message(2, "Plain text.", mood="calm", parts=[1, 2]))
    await expect(page.locator(".message", has_text="Plain text.")).to_be_visible()
    assert scripted.sockets == 1


async def test_reading_needs_eyes_on_the_end(
    page: Page, scripted: ScriptedServer, signed_in: Enter
) -> None:
    await page.add_init_script(
        "window.seen = 'visible';"
        "Object.defineProperty(document, 'visibilityState', {get: () => window.seen});"
    )
    change = "seen => { window.seen = seen; document.dispatchEvent(new Event('visibilitychange')) }"
    arrange(scripted, message(1, "One."), unread=1)
    await signed_in()
    await page.evaluate(change, "hidden")
    await open_grace(page)
    await expect(page.locator(".message", has_text="One.")).to_be_visible()
    scripted.event("message.created", message(2, "Two."))
    await expect(page.locator(".message", has_text="Two.")).to_be_visible()
    await expect(page).to_have_title("(2) Grace Lindqvist – Subrosa")
    assert scripted.sent("receipt.read") == []

    await page.evaluate(change, "visible")
    assert await scripted.wait_sent("receipt.read") == {"conversation": "c", "seq": 2}
    await expect(page).to_have_title("Grace Lindqvist – Subrosa")
    long = "\n".join("And on it goes." for _ in range(60))
    scripted.event("message.created", message(3, long))
    await scripted.wait_sent("receipt.read", 2)
    await page.locator(".scroller").evaluate("scroller => scroller.scrollTop = 0")
    await expect(page.get_by_role("button", name="Go to the newest")).to_be_visible()
    scripted.event("message.created", message(4, "Below."))
    await expect(page.locator(".badge")).to_contain_text("1")
    assert len(scripted.sent("receipt.read")) == 2
    await page.get_by_role("button", name="Go to the newest").click()
    assert (await scripted.wait_sent("receipt.read", 3))["seq"] == 4


async def test_typing_is_told_and_taken_back(
    page: Page, scripted: ScriptedServer, signed_in: Enter
) -> None:
    arrange(scripted)
    await signed_in()
    await open_grace(page)
    field = page.get_by_role("textbox", name="Message")
    await field.press_sequentially("Hello, I was just")
    await field.blur()
    await scripted.wait_sent("typing.stop")
    assert scripted.sent("typing.start") == [{"conversation": "c"}]
    await field.press_sequentially(" thinking")
    await scripted.wait_sent("typing.start", 2)
    await field.press("Enter")
    await scripted.wait_sent("message.send")
    assert len(scripted.sent("typing.stop")) == 1


async def test_new_messages_are_announced(
    page: Page, scripted: ScriptedServer, signed_in: Enter
) -> None:
    arrange(scripted)
    await signed_in()
    live = page.locator("[aria-live=polite]")
    scripted.event("message.created", message(1, "Good morning."))
    await expect(live).to_have_text("New message from Grace Lindqvist")
    await open_grace(page)
    scripted.event("message.created", message(2, "Are you there?"))
    await expect(live).to_have_text("Grace Lindqvist: Are you there?")


async def test_a_draft_waits_where_it_was_begun(
    page: Page, scripted: ScriptedServer, signed_in: Enter
) -> None:
    arrange(scripted, message(1, "Hello."))
    await signed_in()
    await open_grace(page)
    field = page.get_by_role("textbox", name="Message")
    await field.fill("Half a thou")
    await page.evaluate("location.hash = '#'")
    await expect(field).to_be_hidden()
    await open_grace(page)
    await expect(field).to_have_value("Half a thou")


async def test_a_server_out_of_reach_is_said_at_the_door(
    page: Page, context: BrowserContext, scripted: ScriptedServer
) -> None:
    await context.route(f"{ORIGIN}/demo/members", lambda route: route.abort())
    await page.goto(f"{ORIGIN}/")
    await expect(page.get_by_role("alert")).to_have_text("The server cannot be reached.")
    await context.unroute(f"{ORIGIN}/demo/members")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_label("Token")).to_be_visible()


async def test_a_refused_token_is_said(page: Page, scripted: ScriptedServer) -> None:
    scripted.silent = {"connect"}
    await sign_in(page)
    await scripted.wait_sent("connect")
    await scripted.close(4500)
    await expect(page.locator(".banner.stopped")).to_contain_text("token was not accepted")
