"""What the demo prints, for each way in which it can be installed."""

from __future__ import annotations

from pathlib import Path

from app.cli.demo_text import DemoAddresses, Here, demo_text
from tests.fakes.changed import replace

SHOWN = DemoAddresses(
    base_url="http://127.0.0.1:1/v1",
    api_key="spg_test_x",
    admin_url="http://127.0.0.1:2",
    admin_key="the-key",
    simulator_url="http://127.0.0.1:3",
)
HERE = Here(python=Path("/a b/bin/python"), has_sdk=True)


def test_that_paths_are_printed_as_a_shell_reads_them() -> None:
    """A checkout in a directory with a space in its name works as well."""
    text = demo_text(SHOWN, HERE)
    assert "\n'/a b/bin/python' -c 'from openai import OpenAI\n" in text
    assert "\n'/a b/bin/spillgate' tenant list\n" in text
    assert "pip install" not in text


def test_that_without_the_sdk_it_is_said_how_to_get_it() -> None:
    """An installed package brings no SDK of its own."""
    text = demo_text(SHOWN, replace(HERE, has_sdk=False))
    assert "(pip install openai first)" in text
    assert "\npython3 -c 'from openai import OpenAI\n" in text
