"""Two people register, chat, see each other typing and reading, leave and come back, while their server is killed."""

import asyncio
import pathlib
import tempfile

import pytest
from nio import RoomPreset

from person import Person, ok
from server import Server

# Fewer than a timeline holds by default (10 events), so that no /sync has a gap.
REASONS = 5


@pytest.fixture
def server():
    # Not pytest's folder, which only its user may enter: a database may run as another.
    with tempfile.TemporaryDirectory() as folder:
        server = Server(pathlib.Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.close()


def test_two_people_chat_while_their_server_is_killed(server):
    asyncio.run(story(server))


async def story(server):
    alice, bob, phone = (Person(server.url, name) for name in ("alice", "bob", "bob"))
    try:
        await chapters(server, alice, bob, phone)
    finally:
        for person in (alice, bob, phone):
            await person.client.close()


async def chapters(server, alice, bob, phone):
    await arrive(server, alice, bob)
    direct = await open_direct_chat(alice, bob)
    group = await open_group(alice, bob)
    await chat(alice, bob, direct)
    await see_typing_reading_and_presence(alice, bob, group)
    await survive_a_kill(server, alice, bob, group)
    await leave_and_come_back(alice, bob, group)
    server.terminate()
    server.start()
    await find_everything_on_a_new_device(alice, bob, phone, direct, group)


async def arrive(server, *people):
    for person in people:
        token = server.registration_token()
        if token:
            await person.register(token)
        else:
            server.register_by_shared_secret(person.name, person.password)
        await person.log_in("laptop")
        assert ok(await person.client.whoami()).user_id == person.id
        ok(await person.client.set_displayname(person.name.title()))


async def open_direct_chat(alice, bob):
    preset = RoomPreset.trusted_private_chat
    room = ok(await alice.client.room_create(is_direct=True, preset=preset, invite=[bob.id])).room_id
    await bob.invited(room)
    assert bob.client.invited_rooms[room].inviter == alice.id
    await bob.accept(room)
    for person in (alice, bob):
        await person.sees_members(room, alice, bob)
    return room


async def open_group(alice, bob):
    created = await alice.client.room_create(name="Weekend", topic="Where to?", preset=RoomPreset.private_chat)
    room = ok(created).room_id
    assert not await joined(bob, room), "a private room without an invitation"
    ok(await alice.client.room_invite(room, bob.id))
    await bob.accept(room)
    await bob.sees_members(room, alice, bob)
    assert bob.client.rooms[room].name == "Weekend"
    assert bob.client.rooms[room].topic == "Where to?"
    return room


async def joined(person, room):
    await person.client.join(room)
    return room in ok(await person.client.joined_rooms()).rooms


async def chat(alice, bob, room):
    await alice.say(room, "Are you there?")
    await bob.hears(room, "Are you there?")
    await bob.say(room, "Yes.")
    await alice.hears(room, "Yes.")
    for number in range(REASONS):
        await alice.say(room, f"Reason {number}")
    await bob.hears(room, f"Reason {REASONS - 1}")
    assert bob.messages[room] == ["Are you there?", "Yes.", *(f"Reason {number}" for number in range(REASONS))]


async def see_typing_reading_and_presence(alice, bob, room):
    ok(await bob.client.room_typing(room, True))
    await alice.until("bob typing", lambda: bob.id in alice.typing.get(room, []))
    ok(await bob.client.room_typing(room, False))
    await alice.until("bob not typing", lambda: bob.id not in alice.typing[room])

    event = await alice.say(room, "To the sea?")
    await bob.hears(room, "To the sea?")
    assert bob.client.rooms[room].unread_notifications > 0
    ok(await bob.client.room_read_markers(room, event, event))
    await alice.until("bob's receipt", lambda: alice.read.get((room, bob.id)) == event)
    await bob.until("nothing unread", lambda: bob.client.rooms[room].unread_notifications == 0)

    ok(await bob.client.set_presence("unavailable", "packing"))
    await alice.until("bob away", lambda: alice.presence.get(bob.id) == "unavailable")


async def survive_a_kill(server, alice, bob, room):
    event = await alice.say(room, "Remember this.", transaction="before-the-kill")
    server.kill()
    server.start()
    assert await alice.say(room, "Remember this.", transaction="before-the-kill") == event
    # Both go on with the tokens that they had: for requests, and for /sync.
    await bob.hears(room, "Remember this.")
    await bob.say(room, "I do.")
    await alice.hears(room, "I do.")
    assert bob.messages[room].count("Remember this.") == 1


async def leave_and_come_back(alice, bob, room):
    ok(await bob.client.room_leave(room))
    await alice.sees_members(room, alice)
    await bob.until("the room as left", lambda: room in bob.left)
    refused = await bob.client.room_send(room, "m.room.message", {"msgtype": "m.text", "body": "ghost"})
    assert refused.status_code == "M_FORBIDDEN", refused
    await alice.say(room, "He is gone.")
    ok(await alice.client.room_invite(room, bob.id))
    await bob.accept(room)
    await bob.say(room, "I am back.")
    await alice.hears(room, "I am back.")


async def find_everything_on_a_new_device(alice, bob, phone, direct, group):
    await phone.log_in("phone")
    await phone.sees_members(direct, alice, bob)
    await phone.sees_members(group, alice, bob)
    assert phone.client.rooms[group].name == "Weekend"
    assert phone.client.rooms[group].user_name(alice.id) == "Alice"
    assert (group, bob.id) in phone.read
    reasons = [f"Reason {number}" for number in range(REASONS)]
    assert await phone.history(direct) == ["Are you there?", "Yes.", *reasons]
    told = ["To the sea?", "Remember this.", "I do.", "He is gone.", "I am back."]
    # History visibility is "shared": who is in the room may read what was said while they were not.
    assert await alice.history(group) == told
    assert await phone.history(group) == told
    assert ok(await alice.client.whoami()).user_id == alice.id
