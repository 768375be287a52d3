"""A display without a monitor, and a desktop client on it.

Owns: starting and ending them, keys and clicks, reading the screen. Does not own: what is done with them (walk.py).
"""

import os
import pathlib
import re
import subprocess
import time

PATIENCE_SECONDS = 120


def until(what: str, look):
    """Looks again and again until there is something, and gives it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        if found := look():
            return found
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.5)


def one(found: list) -> list:
    return found if len(found) == 1 else []


class Screen:
    """One display with a window manager, and one client there, with a home folder of its own."""

    def __init__(self, folder: pathlib.Path, name: str, command: list[str], environment: dict[str, str]):
        self.name = name
        self.folder = folder / name
        self.home = self.folder / "home"
        runtime = self.folder / "runtime"
        self.home.mkdir(parents=True)
        runtime.mkdir(mode=0o700)
        self.log = self.folder / "log"
        self.command, self.processes = command, []
        read, write = os.pipe()
        self.spawn(["Xvfb", "-displayfd", str(write), "-screen", "0", "1200x850x24"], dict(os.environ), pass_fds=[write])
        os.close(write)
        with os.fdopen(read) as answer:
            display = answer.readline().strip()
        self.environment = {
            **os.environ,
            "DISPLAY": f":{display}",
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_RUNTIME_DIR": str(runtime),
            "LC_ALL": "C.UTF-8",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            **environment,
        }
        self.spawn(["openbox"], self.environment)

    def start(self):
        self.spawn(["dbus-run-session", "--", *self.command], self.environment)

    def spawn(self, command: list[str], environment: dict[str, str], **more):
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **more
            )
        self.processes.append(process)

    def close(self):
        for process in reversed(self.processes):
            # With its children: each has a group of its own.
            try:
                os.killpg(process.pid, 15)
            except ProcessLookupError:
                pass
            process.wait()

    def run(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True)
        return done.stdout

    def window(self, kind: str, wanted: str) -> str:
        """The one visible window with such a title or class, which gets the keys from now on."""
        search = ["xdotool", "search", "--onlyvisible", kind, wanted]
        [found] = until(f"one window {wanted!r} of {self.name}", lambda: one(self.run(*search).split()))
        self.activate(found)
        return found

    def activate(self, window: str):
        self.run("xdotool", "windowactivate", "--sync", window)

    def active(self) -> str:
        """The window that gets the keys."""
        return self.run("xdotool", "getactivewindow").strip()

    def click(self, window: str, x: int, y: int):
        """A click at a place that is counted from the corner of the window."""
        self.run("xdotool", "mousemove", "--window", window, str(x), str(y), "click", "1")
        time.sleep(0.5)

    def type(self, text: str):
        self.run("xdotool", "type", "--delay", "20", text)

    def keys(self, *names: str):
        self.run("xdotool", "key", "--delay", "100", *names)
        time.sleep(0.3)

    def logged(self, text: str):
        until(f"{text!r} in the log of {self.name}", lambda: text in self.log.read_text(errors="replace"))

    def picture(self) -> pathlib.Path:
        path = self.folder / "screen.png"
        self.run("import", "-window", "root", str(path))
        return path

    def keep(self, title: str):
        """Keeps a picture of the screen, if that is wanted."""
        if pictures := os.environ.get("PICTURES"):
            pathlib.Path(pictures).mkdir(parents=True, exist_ok=True)
            (pathlib.Path(pictures) / f"{self.name}-{title}.png").write_bytes(self.picture().read_bytes())

    def shows(self, text: str):
        """Waits until a person would read this on the screen."""

        def read() -> bool:
            larger = self.folder / "larger.png"
            self.run("convert", str(self.picture()), "-resize", "300%", "-colorspace", "gray", str(larger))
            seen = self.run("tesseract", str(larger), "-", "--psm", "11")
            return text in re.sub(r"\s+", " ", seen)

        until(f"{text!r} on the screen of {self.name}", read)
