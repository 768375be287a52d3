"""Starts, kills and stops a server through its launcher script (the contract is in bench/README.md)."""

import hashlib
import hmac
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

SHARED_SECRET = "clients-test"
START_SECONDS = 60


def free_address() -> str:
    """An address that nobody listens at: with a fixed one, a walk beside another would use the other's server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class Server:
    """One server with its data folder."""

    def __init__(self, folder: pathlib.Path):
        self.launcher = os.environ["LAUNCHER"]
        self.bind = os.environ.get("BIND") or free_address()
        self.url = f"http://{self.bind}"
        # What the server and its helpers write may belong to another user (PostgreSQL does not run as root).
        folder.chmod(0o755)
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.process = None
        self.used_tokens = set()
        self.environment = {
            **os.environ,
            "BIND": self.bind,
            "DATA_DIR": str(self.data),
            "SERVER_LOG": str(self.log),
            "SHARED_SECRET": SHARED_SECRET,
        }
        self.step("setup")

    def step(self, name: str) -> str:
        """Runs one step of the launcher that is not the server itself."""
        done = subprocess.run(
            [self.launcher, name], env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout.strip()

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([self.launcher, "run"], env=self.environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the server ended by itself:\n{self.log.read_text()[-2000:]}"
            try:
                with urllib.request.urlopen(f"{self.url}/_matrix/client/versions", timeout=5):
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"no answer within {START_SECONDS} s:\n{self.log.read_text()[-2000:]}")

    def kill(self):
        """kill -9: the server has no chance to write anything more."""
        self.process.kill()
        self.process.wait()

    def terminate(self):
        """Asks the server to stop. Its exit code must be 0."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30) == 0

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        self.step("stop")

    def registration_token(self):
        """A registration token that was not used yet, or None when the server gives no more."""
        token = self.step("token")
        if not token or token in self.used_tokens:
            return None
        self.used_tokens.add(token)
        return token

    def register_by_shared_secret(self, name: str, password: str):
        """What an admin does for people without a registration token."""
        path = f"{self.url}/_synapse/admin/v1/register"
        with urllib.request.urlopen(path) as answer:
            nonce = json.load(answer)["nonce"]
        text = "\0".join([nonce, name, password, "notadmin"]).encode()
        mac = hmac.new(SHARED_SECRET.encode(), text, hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": name, "password": password, "admin": False, "mac": mac}
        request = urllib.request.Request(path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request).close()
