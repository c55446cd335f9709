"""The snippets that need packages of others run with the newest of them, as they are printed."""

from __future__ import annotations

import os
import subprocess

import pytest

from app.adapters.redis.embedded_binaries import installed_binaries
from tests.docs.blocks import SDKS, Block, blocks_of, pages
from tests.docs.house import House
from tests.docs.placeholders import replaced
from tests.sdk_matrix.environments import CACHE, node_with, packages

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        installed_binaries().server is None, reason="no embedded Redis server for this machine"
    ),
    pytest.mark.timeout(600),  # packages are installed the first time
]

#: Environments apart where packages could disagree about the OpenAI SDK.
PYTHON = {
    "langchain": ("langchain-openai",),
    "llama_index": ("llama-index-llms-azure-openai", "llama-index-llms-openai-like"),
    "semantic_kernel": ("semantic-kernel",),
    "openai": ("openai",),
}
NODE = ("openai", "ai", "@ai-sdk/azure", "@ai-sdk/openai")
#: Where Node looks for them: programs given by `--eval` are in the directory they are run in.
NODE_PLACE = CACHE / "docs-node"
DEADLINE_S = 120

BLOCKS = [
    pytest.param(block, id=block.place)
    for page in pages()
    for block in blocks_of(page)
    if block.remark == SDKS
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_snippet_prints_an_answer(block: Block, gateway: House) -> None:
    """Against the simulated gateway, with a tenant's key in the environment."""
    environment = os.environ | {"OPENAI_API_KEY": gateway.secrets["SEARCH_TEAM_KEY"]}
    if "AzureOpenAI" not in block.text:  # Node's has an endpoint or a base URL, as its page says
        environment["OPENAI_BASE_URL"] = f"{gateway.data_url}/v1"
    text = replaced(block.text, data_url=gateway.data_url, admin_url=gateway.admin_url)
    command = _command(block, text)
    done = subprocess.run(
        command,
        cwd=NODE_PLACE if block.language == "javascript" else None,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, f"{block.place}:\n{done.stderr[-3000:]}"
    assert done.stdout.strip(), block.place


def _command(block: Block, text: str) -> list[str]:
    if block.language == "python":
        name = next((each for each in PYTHON if f"from {each}" in text), "openai")
        return [str(packages(f"docs-{name}", *PYTHON[name])), "-c", text]
    assert block.language == "javascript", f"{block.place}: neither python nor javascript"
    node = node_with(NODE_PLACE.name, *(f"{each}@latest" for each in NODE))
    return [str(node), "--input-type=module", "--eval", text]
