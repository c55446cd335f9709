from __future__ import annotations

import os
import sys
from pathlib import Path

from app.adapters.redis.embedded_process import bound_to_parent, server_command

COMMAND = ["/bin/valkey-server", "--port", "0"]


def test_linux_binds_the_server_to_this_process() -> None:
    """The launcher is told whose child it must be, and what to become."""
    launched = bound_to_parent(COMMAND, "linux")

    assert launched[0] == sys.executable
    assert launched[-4:] == [str(os.getpid()), *COMMAND]


def test_elsewhere_the_server_is_started_as_it_is() -> None:
    """Where the kernel offers no signal at the parent's death there is no launcher."""
    assert bound_to_parent(COMMAND, "darwin") == COMMAND


def test_the_server_listens_to_its_socket_alone() -> None:
    """No TCP port is bound, and the socket is the owner's alone."""
    command = server_command(Path("/bin/server"), None, Path("/data"), Path("/data/redis.sock"))
    options = dict(zip(command[1::2], command[2::2], strict=True))

    assert command[0] == "/bin/server"
    assert options["--port"] == "0"
    assert options["--unixsocket"] == "/data/redis.sock"
    assert options["--unixsocketperm"] == "700"
    assert "--loadmodule" not in options


def test_the_search_module_is_loaded_where_there_is_one() -> None:
    """The module is the server's own option, not a command sent later."""
    search = Path("/lib/redisearch.so")
    command = server_command(Path("/bin/server"), search, Path("/data"), Path("/data/redis.sock"))

    assert command[-2:] == ["--loadmodule", str(search)]
