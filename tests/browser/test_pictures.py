"""Pictures of a busy console for the documents; whoever changes a page looks at them."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any, Final

import httpx2
import pytest

from tests.browser.conftest import Meet
from tests.browser.house import Demo, demo

pytestmark = pytest.mark.long

PICTURES: Final = Path(__file__).parents[2] / "docs" / "pictures" / "console"
TENANTS: Final[dict[str, dict[str, Any]]] = {
    "search-team": {
        "class": "interactive",
        "ptu_share": 0.4,
        "tags": {"cost-centre": "4711"},
        "limits": [
            {"name": "rpm", "amount": 600},
            {"name": "tpm", "amount": 200_000},
            {"name": "usd_per_day", "amount": 1.0},
            {"name": "tokens_per_day", "amount": 100_000, "mode": "soft", "model": "gpt-4o"},
        ],
    },
    "copilot": {"ptu_share": 0.2, "tags": {"cost-centre": "0815"}},
    "nightly-reports": {"class": "batch", "spill": {"usd_per_day": 5}},
}
WORDS: Final = (4, 60, 300, 900)
#: Long enough that lines have something to show.
WARM_UP_S: Final = 45.0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that three tenants use."""
    with demo(tmp_path_factory.mktemp("busy")) as running:
        for name, body in TENANTS.items():
            running.api("POST", "/tenants", {"name": name, **body})
        keys = [
            running.api("POST", f"/tenants/{name}/keys", {"name": f"{name} in production"})
            for name in TENANTS
        ]
        over = Event()
        with ThreadPoolExecutor(4) as threads:
            for number in range(4):
                key = keys[number % len(keys)]["data"]["key"]
                threads.submit(use, running.base_url, key, over, number)
            yield running
            over.set()


def use(base_url: str, key: str, over: Event, seed: int) -> None:
    """Ask until it is over, with pauses."""
    drawn = random.Random(seed)
    headers = {"authorization": f"Bearer {key}"}
    with httpx2.Client(headers=headers, timeout=60) as client:
        while not over.wait(drawn.uniform(0.1, 0.9)):
            prompt = f"{drawn.random()} " + "why? " * drawn.choice(WORDS)
            body = {"model": "gpt-4o", "stream": True, "max_tokens": drawn.choice((60, 200, 400))}
            body["messages"] = [{"role": "user", "content": prompt}]
            client.post(f"{base_url}/chat/completions", json=body)


@pytest.fixture(scope="module")
def warm(house: Demo) -> Demo:
    """The same, after a while that somebody looked."""
    headers = {"origin": "null"}
    with httpx2.Client(follow_redirects=True, headers=headers, timeout=60) as client:
        page = client.get(f"{house.console}/sign-in").text
        token = re.findall(r'name="csrf" value="([^"]+)"', page)[0]
        client.post(f"{house.console}/sign-in", data={"csrf": token, "key": house.admin_key})
        until = time.monotonic() + WARM_UP_S
        while time.monotonic() < until:
            assert client.get(f"{house.console}/").status_code == 200
            time.sleep(2)
    return house


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_pictures(warm: Demo, meet: Meet, *, dark: bool, phone: bool) -> None:
    """Of what is looked at most, in every light and size."""
    person = meet(warm.admin_key, dark=dark, phone=phone)
    name = f"{'phone' if phone else 'desktop'}-{'dark' if dark else 'light'}"
    for path, title in (("/", "overview"), ("/ptu", "ptu"), ("/tenants/search-team", "tenant")):
        person.open(path)
        person.page.wait_for_timeout(4000)
        person.page.screenshot(path=PICTURES / f"{title}-{name}.png", full_page=phone)
    assert person.complaints == []


def test_pictures_of_single_things(warm: Demo, meet: Meet) -> None:
    """Of requests, of why one went where it went, of spill, and of the playground's answer."""
    person = meet(warm.admin_key)
    for path, title in (("/spill", "spill"), ("/requests", "requests")):
        person.open(path)
        person.page.wait_for_timeout(2500)
        person.page.screenshot(path=PICTURES / f"{title}.png")
    person.open("/requests?spill=predicted")
    person.page.click("#live tbody a >> nth=0")
    person.page.wait_for_selector("#charged")
    person.page.screenshot(path=PICTURES / "request.png")
    person.open("/playground")
    person.page.select_option("#tenant", "copilot")
    person.page.fill("#prompt", "What is a PTU?")
    person.page.click("#send")
    person.page.wait_for_selector("#why li")
    person.page.screenshot(path=PICTURES / "playground.png", full_page=True)
    assert person.complaints == []
