"""What every test runs under: offline, in a Hugging Face home of its own, with no socket but to this machine.

The environment is set while pytest loads this file, before any test module can import a Hugging Face library, because
those read it once, at import. Child processes inherit it.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from loopback_hub import LoopbackHub

# A developer's own settings; each would lead the libraries out of the temporary home or onto the network.
_DROPPED = ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_CACHE", "HF_DATASETS_CACHE", "HF_MODULES_CACHE", "HF_METRICS_CACHE")
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_EVALUATE_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
}
_HF_HOME = tempfile.mkdtemp(prefix="bionerkd-tests-")

for _name in _DROPPED:
    os.environ.pop(_name, None)
os.environ.update(_OFFLINE, HF_HOME=_HF_HOME)
if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores among themselves; threads on top would make them wait for one another.
    os.environ["OMP_NUM_THREADS"] = "1"


class NetworkBlockedError(RuntimeError):
    """A test reached for the network. No `OSError`: libraries swallow those and try something else."""


def _refuse_unless_local(host: object, call: str) -> None:
    """Raise unless `host` is this machine: a loopback address, `localhost`, or none at all."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        if ipaddress.ip_address(str(name)).is_loopback:
            return
    except ValueError:
        pass  # Another host's name.
    raise NetworkBlockedError(
        f"socket {call} to {name!r} refused: tests run offline and may only talk to this machine (127.0.0.1, ::1, "
        "localhost). Make the data in the test, or stand a local server or a stub in for the host."
    )


def _guarded_connect(call: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_unless_local(address[0], call)
        return original(self, address)

    return guarded


def _guarded_getaddrinfo(original: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(host: object, *args: Any, **kwargs: Any) -> Any:
        _refuse_unless_local(host, "getaddrinfo")
        return original(host, *args, **kwargs)

    return guarded


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for call in ("connect", "connect_ex"):
            patch.setattr(socket.socket, call, _guarded_connect(call, getattr(socket.socket, call)))
        patch.setattr(socket, "getaddrinfo", _guarded_getaddrinfo(socket.getaddrinfo))
        yield


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    """A Hub on this machine: ann may write for herself and for org, bob for himself alone, rita only reads for org.

    Clients run in fresh processes (`fresh.run_fresh`) under `hub.environment(home, TOKENS["ann"])`.
    """
    from loopback_hub import TOKENS, LoopbackHub

    with LoopbackHub() as hub:
        hub.add_user("ann", TOKENS["ann"], orgs=("org",))
        hub.add_user("bob", TOKENS["bob"])
        hub.add_user("rita", TOKENS["rita"], role="read", orgs=("org",))
        yield hub


def _why_no_corpora() -> str | None:
    """Say why the real corpora cannot be used; None when they can."""
    folder = os.environ.get("BIONERKD_CORPORA")
    if not folder:
        return "BIONERKD_CORPORA is not set: give it the folder with the real corpora"
    if not Path(folder).is_dir():
        return f"BIONERKD_CORPORA is not a folder: {folder}"
    return None


@pytest.fixture(scope="session")
def corpora_dir() -> Path:
    """The folder of the real corpora; skips the test where there is none."""
    reason = _why_no_corpora()
    if reason:
        pytest.skip(reason)
    return Path(os.environ["BIONERKD_CORPORA"])


def _why_no_gpu() -> str | None:
    import torch  # Slow to load, so only when a test asks for a GPU.

    return None if torch.cuda.is_available() else "needs a CUDA device, and torch sees none"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests by their marks, with the reason: `gpu` without a CUDA device, `corpora` without the real corpora."""
    for mark, why in (("gpu", _why_no_gpu), ("corpora", _why_no_corpora)):
        marked = [item for item in items if item.get_closest_marker(mark)]
        reason = why() if marked else None
        if reason:
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_unconfigure() -> None:
    """Remove this session's Hugging Face home."""
    shutil.rmtree(_HF_HOME, ignore_errors=True)


# A shell starts what it puts in the background ("make test &") with Ctrl-C ignored, and programs hand that on to their
# own: the tests that interrupt a run would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
