"""The program of the child process that runs espeak-ng: a loop of requests and replies over pipes.

Only this file calls espeak-ng, which is licensed under the GPL 3; ``process.py`` starts it. Some texts
overflow the buffers of espeak-ng and crash the calling process, so it runs in a process of its own, which may
die. The file is run by its path and imports only the standard library, so that it starts quickly.

A request is one line of JSON: ``{"voice", "words_per_minute", "pitch", "text", "longest_s"}``. A reply is one
line of JSON, ``{"sample_rate", "events": [[type, sample, phone name], …], "num_bytes"}`` or
``{"error": reason}``, followed by ``num_bytes`` bytes of 16-bit samples in the machine's byte order.
"""

import _ctypes
import ctypes
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

EVENT_WORD, EVENT_END_OF_CLAUSE, EVENT_PHONEME = 1, 5, 7
_EVENT_END_OF_LIST = 0

NO_DATA, NO_VOICE, TOO_LONG = "no data", "no voice", "too long"

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_PHONEME_EVENTS = 0x0001
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1  # alone: neither SSML (0x10) nor phoneme input in [[ ]] (0x100) is interpreted
_RATE, _PITCH = 1, 3


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of ``speak_lib.h``."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


def synthesize(
    library_path: str,
    data_path: str,
    *,
    voice: str,
    words_per_minute: int,
    pitch: int,
    text: str,
    longest_s: float,
) -> tuple[dict, bytes]:
    """The reply to one request: its JSON header, and the samples that follow it.

    The library is loaded anew for every request. Its flutter carries state from one utterance to the next,
    and no call resets it. A freshly loaded library (3 ms) gives the same samples for the same text,
    independently of earlier requests.
    """
    chunks: list[bytes] = []
    events: list[tuple[int, int, str]] = []
    num_samples, most_samples = 0, float("inf")

    @_Callback
    def collect(samples, number, event):
        nonlocal num_samples
        if samples and number > 0:
            chunks.append(ctypes.string_at(samples, 2 * number))
            num_samples += number
        i = 0
        while event[i].type != _EVENT_END_OF_LIST:
            name = ""
            if event[i].type == EVENT_PHONEME:
                name = bytes(event[i].id.string).decode("utf-8", errors="ignore")
            events.append((event[i].type, event[i].sample, name))
            i += 1
        return int(num_samples > most_samples)  # 1 stops espeak

    with _fresh_library(library_path) as library:
        sample_rate = library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS,
            0,
            data_path.encode(),
            _INITIALIZE_PHONEME_EVENTS | _INITIALIZE_DONT_EXIT,
        )
        if sample_rate <= 0:
            return {"error": NO_DATA}, b""
        most_samples = longest_s * sample_rate
        try:
            if library.espeak_SetVoiceByName(voice.encode()) != 0:
                return {"error": NO_VOICE}, b""
            library.espeak_ng_SetRandSeed(1)  # for breath noise of some voices, else seeded by the clock
            library.espeak_SetSynthCallback(collect)
            library.espeak_SetParameter(_RATE, words_per_minute, 0)
            library.espeak_SetParameter(_PITCH, pitch, 0)
            utf8 = text.encode("utf-8", errors="ignore")  # drops lone surrogates, which are not valid UTF-8
            library.espeak_Synth(
                utf8 + b"\0", ctypes.c_size_t(len(utf8) + 1), 0, 0, 0, _CHARS_UTF8, None, None
            )
        finally:
            library.espeak_Terminate()
    if num_samples > most_samples:
        return {"error": TOO_LONG}, b""
    samples = b"".join(chunks)
    return {"sample_rate": sample_rate, "events": events, "num_bytes": len(samples)}, samples


@contextmanager
def _fresh_library(path: str) -> Iterator[ctypes.CDLL]:
    library = ctypes.CDLL(path)
    try:
        yield library
    finally:
        if sys.platform == "win32":
            _ctypes.FreeLibrary(library._handle)
        else:
            _ctypes.dlclose(library._handle)


def main(library_path: str, data_path: str) -> None:
    """Answers requests until the pipe closes, which happens when the parent process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and then ends this process
    _disable_core_dumps()
    # espeak sometimes prints to standard output, so replies use a duplicate of it.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in sys.stdin.buffer:
        try:
            reply, samples = synthesize(library_path, data_path, **json.loads(line))
        except Exception:
            reply, samples = {"error": traceback.format_exc()}, b""
        replies.write(json.dumps(reply).encode() + b"\n" + samples)
        replies.flush()


def _disable_core_dumps() -> None:
    """Disables core dumps: crashes of this process are expected."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


if __name__ == "__main__":
    main(*sys.argv[1:])
