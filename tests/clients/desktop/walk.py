"""Two people with desktop clients, against the server at HOMESERVER: log in, make a room, invite, accept, a message each way, log out.

Owns: the walk; each step is looked for at the server, and the messages on the screens. Does not own: displays and keys (screen.py), the server
(../with_server.py).
"""

import json
import os
import pathlib
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from screen import Screen, until

HOMESERVER = os.environ["HOMESERVER"]
FROM_NHEKO = "good morning from nheko"
FROM_QUATERNION = "good evening from quaternion"


class Account:
    """What the server says to a session of the same person that has no client."""

    def __init__(self, name: str):
        self.name, self.password, self.token = name, f"correct horse battery {name}", None
        identifier = {"type": "m.id.user", "user": name}
        login = {"type": "m.login.password", "identifier": identifier, "password": self.password}
        answer = self.ask("login", login)
        self.id, self.token = answer["user_id"], answer["access_token"]

    def ask(self, path: str, body=None):
        """The answer, or None where there is nothing yet."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{HOMESERVER}/_matrix/client/v3/{path}", data, headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            if refused.code == 404:
                return None
            raise

    def has_device(self, name: str) -> bool:
        return any(device["display_name"] == name for device in self.ask("devices")["devices"])

    def has_account_data(self, kind: str) -> bool:
        return self.ask(f"user/{urllib.parse.quote(self.id)}/account_data/{kind}") is not None

    def rooms(self) -> list[str]:
        return self.ask("joined_rooms")["joined_rooms"]

    def texts(self, room: str) -> list[tuple[str, str]]:
        events = self.ask(f"rooms/{urllib.parse.quote(room)}/messages?dir=b&limit=50")["chunk"]
        return [(event["sender"], event["content"].get("body")) for event in events if event["type"] == "m.room.message"]

    def membership(self, room: str, user: str) -> str | None:
        path = f"rooms/{urllib.parse.quote(room)}/state/m.room.member/{urllib.parse.quote(user)}"
        return (self.ask(path) or {}).get("membership")


def again(action, what: str, look):
    """Does something until its effect is there: a click may come before the window is ready for it."""

    def attempt():
        action()
        time.sleep(2)
        return look()

    if not look():
        until(what, attempt)


class Nheko(Screen):
    def __init__(self, folder: pathlib.Path):
        # Without a profile of its own it would hand over to an nheko that runs already.
        profile = f"walk{os.getpid()}"
        super().__init__(folder, "nheko", ["nheko", "--log-level", "debug", "--profile", profile], {})
        settings = self.home / ".config" / "nheko" / "nheko.conf"
        settings.parent.mkdir(parents=True)
        # There is no keyring here.
        settings.write_text("[General]\nrun_without_secure_secrets_service=true\n")
        self.start()
        self.logged("starting nheko")
        self.main = self.window("--name", "^nheko")
        time.sleep(3)

    def log_in(self, account: Account):
        self.click(self.main, 614, 432)
        time.sleep(1)
        self.click(self.main, 533, 273)
        self.type(account.id)
        self.keys("Tab")
        # Only now it asks for the address.
        self.logged("Autodiscovery failed")
        time.sleep(1)
        self.type(account.password)
        self.keys("Tab")
        self.type("nheko")
        self.keys("Tab", "ctrl+a")
        self.type(HOMESERVER)
        self.keys("Tab")
        time.sleep(2)
        self.keep("login")
        again(lambda: self.click(self.main, 533, 506), "nheko's device", lambda: account.has_device("nheko"))

    def set_up_encryption(self, account: Account):
        """Cross-signing, secret storage and a key backup, as the first dialogue offers them."""
        again(
            lambda: self.click(self.main, 913, 561),
            "nheko's secret storage",
            lambda: account.has_account_data("m.secret_storage.default_key"),
        )
        time.sleep(2)
        self.keep("recovery-key")
        self.click(self.main, 1011, 333)
        assert account.ask("room_keys/version")["version"]
        keys = account.ask("keys/query", {"device_keys": {account.id: []}})
        assert account.id in keys["master_keys"] and account.id in keys["self_signing_keys"]

    def accept(self, account: Account, room: str, name: str):
        """Accepts the only invite that is there."""
        self.shows(name)
        self.keep("invite")

        def click():
            self.click(self.main, 131, 74)
            self.click(self.main, 644, 394)

        again(click, "alice in the room", lambda: room in account.rooms())
        time.sleep(2)

    def say(self, text: str):
        self.click(self.main, 583, 580)
        self.type(text)
        self.keys("Return")

    def log_out(self, account: Account):
        def click():
            self.click(self.main, 198, 24)
            self.keys("Return")

        again(click, "the end of nheko's session", lambda: not account.has_device("nheko"))


class Quaternion(Screen):
    def __init__(self, folder: pathlib.Path):
        super().__init__(folder, "quaternion", ["quaternion"], {"QT_LOGGING_RULES": "quotient.*=true"})
        self.start()

    def log_in(self, account: Account):
        dialogue = self.window("--name", "^Login")
        time.sleep(2)
        # The fields: user, password, name of the device, address.
        for place, text in [(23, account.id), (54, account.password), (85, "quaternion"), (116, HOMESERVER)]:
            self.click(dialogue, 204, place)
            self.keys("ctrl+a")
            self.type(text)
        self.keys("Tab")
        self.logged(f"200 <- GET {HOMESERVER}/_matrix/client/r0/login")
        self.keep("login")
        again(
            lambda: self.click(dialogue, 236, 176), "quaternion's device", lambda: account.has_device("quaternion")
        )
        self.logged("SyncJob-1")
        # The dialogue is gone, and the title of the other window changes with the room.
        self.main = self.window("--class", "quaternion")
        time.sleep(2)

    def make_room(self, account: Account, name: str) -> str:
        def make():
            self.activate(self.main)
            self.keys("ctrl+n")
            until("the dialogue for a room", lambda: self.active() not in ("", self.main))
            time.sleep(1)
            self.type(name)
            self.keys("Return")

        again(make, "a room", account.rooms)
        time.sleep(2)
        self.keep("room")
        [room] = account.rooms()
        assert account.ask(f"rooms/{urllib.parse.quote(room)}/state/m.room.name/")["name"] == name
        return room

    def say(self, text: str):
        """A line for the room that is open; commands too."""
        self.activate(self.main)
        self.click(self.main, 400, 260)
        self.type(text)
        self.keys("Return")


def walk(folder: pathlib.Path, screens: list[Screen]):
    alice, bob = Account("alice"), Account("bob")
    nheko = Nheko(folder)
    screens.append(nheko)
    nheko.log_in(alice)
    nheko.set_up_encryption(alice)
    quaternion = Quaternion(folder)
    screens.append(quaternion)
    quaternion.log_in(bob)

    room = quaternion.make_room(bob, "Shed")
    quaternion.say(f"/invite {alice.id}")
    until("the invite", lambda: bob.membership(room, alice.id) == "invite")
    nheko.accept(alice, room, "Shed")

    quaternion.say(FROM_QUATERNION)
    until("quaternion's message", lambda: (bob.id, FROM_QUATERNION) in alice.texts(room))
    nheko.shows(FROM_QUATERNION)
    nheko.say(FROM_NHEKO)
    until("nheko's message", lambda: (alice.id, FROM_NHEKO) in bob.texts(room))
    quaternion.shows(FROM_NHEKO)
    nheko.keep("messages")
    quaternion.keep("messages")

    nheko.log_out(alice)
    print("nheko and Quaternion: logged in, a room, an invite, a message each way, logged out")


def main():
    screens = []
    with tempfile.TemporaryDirectory(prefix="plop-desktop-") as folder:
        try:
            walk(pathlib.Path(folder), screens)
        except BaseException:
            for screen in screens:
                screen.keep("failed")
            raise
        finally:
            for screen in screens:
                screen.close()


if __name__ == "__main__":
    main()
