"""A person with a Matrix client: what they do, and what they have seen."""

import time

from nio import (
    AsyncClient,
    AsyncClientConfig,
    ErrorResponse,
    PresenceEvent,
    ReceiptEvent,
    RoomMessageText,
    TypingNoticeEvent,
)
from nio.responses import RegisterInteractiveResponse

PATIENCE_SECONDS = 30


def ok(response):
    """The response of a request that must succeed."""
    assert not isinstance(response, ErrorResponse), response
    return response


class Person:
    """One user on one device."""

    def __init__(self, url: str, name: str):
        self.name = name
        self.password = f"correct horse battery {name}"
        self.client = AsyncClient(url, name, config=AsyncClientConfig(max_timeouts=3, request_timeout=15))
        self.messages = {}  # room id -> texts in the order in which /sync brought them
        self.typing = {}  # room id -> user ids
        self.read = {}  # (room id, user id) -> event id
        self.presence = {}  # user id -> presence
        self.left = set()  # rooms that /sync brought as left
        self.client.add_event_callback(self.saw_message, RoomMessageText)
        self.client.add_ephemeral_callback(self.saw_typing, TypingNoticeEvent)
        self.client.add_ephemeral_callback(self.saw_receipts, ReceiptEvent)
        self.client.add_presence_callback(self.saw_presence, PresenceEvent)

    async def saw_message(self, room, event):
        self.messages.setdefault(room.room_id, []).append(event.body)

    async def saw_typing(self, room, event):
        self.typing[room.room_id] = event.users

    async def saw_receipts(self, room, event):
        for receipt in event.receipts:
            if receipt.receipt_type == "m.read":
                self.read[room.room_id, receipt.user_id] = receipt.event_id

    async def saw_presence(self, event):
        self.presence[event.user_id] = event.presence

    @property
    def id(self) -> str:
        return self.client.user_id

    async def register(self, token: str):
        """User-interactive authentication with a registration token, in as many stages as the server wants."""
        # nio insists on an `auth`; this one, which names no stage, is what its own register_with_token sends first.
        first = {"initial_device_display_name": "matrix-nio"}
        wanted = await self.client.register_interactive(self.name, self.password, first)
        assert isinstance(wanted, RegisterInteractiveResponse), wanted
        assert "m.login.registration_token" in wanted.stages, wanted
        for stage in wanted.stages:
            auth = {"type": stage, "session": wanted.session}
            if stage == "m.login.registration_token":
                auth["token"] = token
            # The answer to the last stage is that of the registration, which nio does not expect here.
            await self.client.register_interactive(self.name, self.password, auth)

    async def log_in(self, device: str):
        ok(await self.client.login(self.password, device_name=device))

    async def until(self, what: str, condition):
        """Syncs until `condition` holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{self.name} never saw: {what}"
            self.left.update(ok(await self.client.sync(timeout=2_000)).rooms.leave)

    async def say(self, room: str, text: str, transaction: str | None = None) -> str:
        content = {"msgtype": "m.text", "body": text}
        return ok(await self.client.room_send(room, "m.room.message", content, tx_id=transaction)).event_id

    async def hears(self, room: str, text: str):
        await self.until(f"{text!r}", lambda: text in self.messages.get(room, []))

    async def invited(self, room: str):
        await self.until(f"the invitation to {room}", lambda: room in self.client.invited_rooms)

    async def accept(self, room: str):
        await self.invited(room)
        ok(await self.client.join(room))
        await self.until(f"{room} as joined", lambda: room in self.client.rooms)

    async def sees_members(self, room: str, *people: "Person"):
        expected = {person.id for person in people}

        def members():
            joined = self.client.rooms[room].users.values() if room in self.client.rooms else []
            return {user.user_id for user in joined if not user.invited}

        await self.until(f"{expected} in {room}", lambda: members() == expected)

    async def history(self, room: str) -> list[str]:
        """All texts of a room, oldest first, page by page."""
        texts, start = [], ""
        while start is not None:
            page = ok(await self.client.room_messages(room, start=start, limit=5))
            texts += [event.body for event in page.chunk if isinstance(event, RoomMessageText)]
            start = page.end
        return texts[::-1]
