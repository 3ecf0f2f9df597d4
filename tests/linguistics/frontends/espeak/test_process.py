import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from wavegen.linguistics.frontends.espeak import child as espeak_child
from wavegen.linguistics.frontends.espeak.process import EspeakDied, EspeakProcess

KILLER = "A.B.C." * 100  # overflows a buffer on espeak's stack


@pytest.fixture
def process():
    process = EspeakProcess()
    yield process
    process.close()


def ask(process: EspeakProcess, text: str, voice: str = "en-us", longest_s: float = 60.0):
    return process.ask(voice=voice, words_per_minute=165, pitch=50, text=text, longest_s=longest_s)


def pid(process: EspeakProcess) -> int:
    return process._child.pid


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or dead and not yet waited for by whoever inherited it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for_the_end(pid: int) -> None:
    for _ in range(600):
        if has_ended(pid):
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} goes on")


def test_the_child_says_what_the_library_says(process):
    import espeakng_loader

    paths = espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
    for text in ("Six fish swim.", "Twelve sparks, then silence; what now?", "", "ünïcödé \ud800 😀"):
        request = {"voice": "en-us", "words_per_minute": 140, "pitch": 60, "text": text, "longest_s": 60.0}
        reply, samples = espeak_child.synthesize(*paths, **request)
        in_child, samples_of_child = process.ask(**request)
        assert samples == samples_of_child
        assert [list(event) for event in reply.pop("events")] == in_child.pop("events")
        assert reply == in_child


def test_a_text_that_kills_is_reported_and_the_next_one_is_spoken(process):
    before = ask(process, "Hello.")
    for _ in range(2):
        with pytest.raises(EspeakDied, match="its process was ended by SIG(ABRT|SEGV|BUS)"):
            ask(process, KILLER)
        assert ask(process, "Hello.") == before


@pytest.mark.parametrize(("signum", "dies"), [(signal.SIGKILL, True), (signal.SIGINT, False)])
def test_who_died_between_two_requests_is_replaced_and_ctrl_c_is_not_for_the_child(process, signum, dies):
    before = ask(process, "Hello.")
    first = pid(process)
    os.kill(first, signum)
    assert ask(process, "Hello.") == before
    assert (pid(process) != first) == dies and has_ended(first) == dies


def test_who_does_not_answer_is_replaced_after_a_while():
    process = EspeakProcess(timeout_s=5.0)
    before = ask(process, "Hello.")
    first = pid(process)
    os.kill(first, signal.SIGSTOP)
    assert ask(process, "Hello.") == before
    assert has_ended(first)
    process.close()
    assert process._child is None


def test_a_text_that_takes_too_long_is_given_up():
    process = EspeakProcess(timeout_s=1e-3)  # nobody starts within a millisecond
    with pytest.raises(EspeakDied, match="it took more than 0.001 s"):
        ask(process, "Hello.")
    assert process._child is None


def test_an_endless_text_is_stopped_at_the_length_asked_for(process):
    assert ask(process, "word " * 100_000, longest_s=2.0) == ({"error": espeak_child.TOO_LONG}, b"")
    assert len(ask(process, "word", longest_s=2.0)[1]) > 0


def test_a_defect_of_the_child_comes_with_its_traceback(process):
    reply, _ = process.ask(voice="en-us", words_per_minute=1.5, pitch=50, text="Hello.", longest_s=1.0)
    assert "ArgumentError" in reply["error"]


def test_an_interrupt_leaves_no_half_reply_behind(process):
    before = ask(process, "Hello.")

    def interrupt(*_):
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            ask(process, "word " * 100_000, longest_s=1e6)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert ask(process, "Hello.") == before


def test_a_forked_process_has_a_child_of_its_own(process):
    before = ask(process, "Hello.")
    first, (read, write) = pid(process), os.pipe()
    forked = os.fork()
    if forked == 0:  # whatever happens here must not go on with the tests
        try:
            same = ask(process, "Hello.") == before
            os.write(write, f"{same} {pid(process)}".encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(forked, 0)
    same, other = os.read(read, 100).decode().split()
    os.close(read)
    assert same == "True" and int(other) != first
    wait_for_the_end(int(other))
    assert ask(process, "Hello.") == before
    assert pid(process) == first


@pytest.mark.parametrize("ending", ["pass", "os._exit(1)", "os.kill(os.getpid(), 9)"])
def test_nothing_is_left_of_the_child_when_its_user_ends(ending):
    code = f"""if True:
        import os
        from wavegen.linguistics.frontends.espeak import front_end as espeak
        espeak.EspeakFrontEnd().read("Hello.")
        print(espeak._process._child.pid, flush=True)
        {ending}
    """
    ended = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert ended.stderr == ""
    wait_for_the_end(int(ended.stdout))


def test_breath_sounds_the_same_in_every_process_at_any_time():
    spoken = []
    for _ in range(2):
        process = EspeakProcess()
        spoken.append(ask(process, "Hello.", voice="en-us+f3"))
        process.close()
        time.sleep(1.1)  # espeak's own seed is the second
    assert spoken[0] == spoken[1]


def test_the_child_imports_the_standard_library_only():
    """It runs without site-packages, and is up at once."""
    tree = ast.parse(Path(espeak_child.__file__).read_text(encoding="utf-8"))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)
