"""Runs a command while a fresh server runs: with_server.py alice,bob command [argument ...]

The people are registered, each with the password "correct horse battery <name>". The command gets the server's address in HOMESERVER, and in
REGISTRATION_TOKEN what registers one more, if the server gives that.
LAUNCHER names the launcher script (the contract is in bench/README.md).
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from server import Server


def main() -> int:
    names, command = sys.argv[1].split(","), sys.argv[2:]
    with tempfile.TemporaryDirectory(prefix="plop-walk-") as folder:
        server = Server(pathlib.Path(folder))
        server.start()
        try:
            for name in names:
                server.register_by_shared_secret(name, f"correct horse battery {name}")
            given = {"HOMESERVER": server.url, "REGISTRATION_TOKEN": server.registration_token() or ""}
            code = subprocess.run(command, env={**os.environ, **given}, check=False).returncode
            if code:
                print(f"the server's log ends with:\n{server.log.read_text()[-4000:]}", file=sys.stderr)
        finally:
            server.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
