"""The guard of conftest.py: no test reaches another machine, and Hugging Face libraries know that they are offline."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

# Reserved for documentation (RFC 5737, RFC 3849, RFC 2606): nobody's, should the guard ever fail.
ADDRESS, ADDRESS_V6, HOST = "192.0.2.1", "2001:db8::1", "hub.example.invalid"


@pytest.mark.parametrize("call", ["connect", "connect_ex"])
@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, ADDRESS), (socket.AF_INET6, ADDRESS_V6), (socket.AF_INET, HOST)]
)
def test_connecting_to_another_machine_is_refused_by_address(call: str, family: int, address: str) -> None:
    with socket.socket(family) as sock:
        sock.settimeout(0.01)
        with pytest.raises(RuntimeError, match=f"socket {call} to '{address}' refused"):
            getattr(sock, call)((address, 443))


@pytest.mark.parametrize("host", [HOST, HOST.encode(), ADDRESS])
def test_looking_up_another_machine_is_refused_by_name(host: str | bytes) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    with pytest.raises(RuntimeError, match=f"socket getaddrinfo to '{name}' refused"):
        socket.getaddrinfo(host, 443)


def test_refusal_is_no_oserror_that_a_library_would_swallow() -> None:
    with pytest.raises(RuntimeError) as caught:
        socket.create_connection((ADDRESS, 443), timeout=0.01)
    assert not isinstance(caught.value, OSError)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_answers(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        answering = threading.Thread(target=lambda: server.accept()[0].sendall(b"here"))
        answering.start()
        with socket.create_connection((host, port), timeout=5) as client:
            assert client.recv(4) == b"here"
        answering.join()


def test_unix_sockets_connect(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
        client.sendall(b"here")
        assert server.accept()[0].recv(4) == b"here"


def test_hub_client_is_offline_and_at_home_in_a_temporary_folder() -> None:
    from huggingface_hub import constants

    assert constants.HF_HUB_OFFLINE
    assert constants.HF_HUB_DISABLE_TELEMETRY
    assert Path(constants.HF_HUB_CACHE).is_relative_to(os.environ["HF_HOME"])
    assert not Path(os.environ["HF_HOME"]).is_relative_to(Path.home() / ".cache")


def test_child_processes_are_offline_too() -> None:
    program = "from huggingface_hub import constants as c; print(c.HF_HUB_OFFLINE, c.HF_HOME)"
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == f"True {os.environ['HF_HOME']}"


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with this project's conftest.py and markers, in which a test of a test runs in a process of its own."""
    monkeypatch.delenv("BIONERKD_CORPORA", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\nmarkers =\n    gpu: a GPU\n    corpora: real corpora\n")
    return pytester


CORPORA_TESTS = """
    import pytest

    def test_fixture(corpora_dir):
        assert (corpora_dir / "here").exists()

    @pytest.mark.corpora
    def test_mark():
        pass
"""


def test_corpora_tests_skip_with_the_reason_when_the_variable_is_unset(inner: pytest.Pytester) -> None:
    inner.makepyfile(CORPORA_TESTS)
    result = inner.runpytest_subprocess("-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*BIONERKD_CORPORA is not set: *"])


def test_corpora_tests_skip_naming_a_folder_that_is_missing(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIONERKD_CORPORA", "nowhere/corpora")
    inner.makepyfile(CORPORA_TESTS)
    result = inner.runpytest_subprocess("-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*BIONERKD_CORPORA is not a folder: nowhere/corpora*"])


def test_corpora_tests_run_where_the_folder_is(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    (inner.path / "corpora").mkdir()
    (inner.path / "corpora" / "here").touch()
    monkeypatch.setenv("BIONERKD_CORPORA", str(inner.path / "corpora"))
    inner.makepyfile(CORPORA_TESTS)
    inner.runpytest_subprocess().assert_outcomes(passed=2)


@pytest.mark.parametrize(("sees_gpu", "outcome"), [("False", "skipped"), ("True", "passed")])
def test_gpu_tests_follow_what_torch_sees(inner: pytest.Pytester, sees_gpu: str, outcome: str) -> None:
    inner.makepyfile(
        torch=f"class cuda:\n    is_available = staticmethod(lambda: {sees_gpu})\n",
        test_gpu="import pytest\n\n@pytest.mark.gpu\ndef test_on_gpu():\n    pass\n",
    )
    inner.runpytest_subprocess().assert_outcomes(**{outcome: 1})


def test_torch_is_not_loaded_when_no_test_needs_a_gpu(inner: pytest.Pytester) -> None:
    inner.makepyfile("import sys\n\ndef test_plain():\n    assert 'torch' not in sys.modules\n")
    inner.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize(("worker", "threads"), [(None, "7"), ("gw0", "1")])
def test_only_parallel_workers_are_held_to_one_thread(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, worker: str | None, threads: str
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    if worker:
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
    inner.makepyfile(f"import os\n\ndef test_threads():\n    assert os.environ['OMP_NUM_THREADS'] == '{threads}'\n")
    inner.runpytest_subprocess().assert_outcomes(passed=1)
