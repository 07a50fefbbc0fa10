"""A process that speaks: utterances asked for on standard input, sound on standard output.

Run as a script by `workloads.data.speech.synthesis`, with the espeak-ng library and its ``espeak-ng-data`` in the
current folder. It imports the standard library only, so that it starts and forks quickly, and it stays
single-threaded, so that forking is safe.

Each utterance is spoken by a fork of the freshly initialised process: espeak-ng carries state from one utterance to the
next, which neither changing the voice nor terminating and initialising again resets. With the random seed set as well,
the sound depends on the request alone and not on what was spoken before.

The greeting at the start is the sample rate, a signed 32-bit number. A request is one line of JSON with voice, text,
rate (words a minute), pitch (0 to 100) and seed; its answer is a signed 32-bit number of bytes and the samples, 16 bits
each. A number that is not positive says that it went wrong.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import struct
import sys

# From espeak-ng's speak_lib.h, interface revision 12 (espeak-ng 1.52).
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_RATE, _PITCH = 1, 3
_DATA_PARENT = b"."  # a short path: the library keeps it in 160 bytes

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


def _speak(library: ctypes.CDLL, request: dict[str, str | int]) -> bytes:
    """Return the samples of one utterance; an `OSError` tells what the library refused."""
    sound = bytearray()

    def keep(samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            sound.extend(ctypes.string_at(samples, 2 * count))
        return 0

    callback = _Callback(keep)
    library.espeak_SetSynthCallback(callback)
    library.espeak_ng_SetRandSeed(ctypes.c_long(int(request["seed"])))
    text = str(request["text"]).encode()
    refused = (
        library.espeak_SetVoiceByName(str(request["voice"]).encode())
        or library.espeak_SetParameter(_RATE, int(request["rate"]), 0)
        or library.espeak_SetParameter(_PITCH, int(request["pitch"]), 0)
        or library.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 0, 0, _CHARS_UTF8, None, None)
    )
    if refused or not sound:
        raise OSError(f"espeak-ng refused {request}")
    return bytes(sound)


def _answer(library: ctypes.CDLL, request: dict[str, str | int], out: int) -> None:
    """Speak one utterance in a fork of this process and write it to the file descriptor `out`."""
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(Exception):
            sound = _speak(library, request)
            _write(out, struct.pack("<i", len(sound)) + sound)
            status = 0
        os._exit(status)
    if os.waitpid(child, 0)[1] != 0:
        _write(out, struct.pack("<i", -1))


def _write(out: int, message: bytes) -> None:
    rest = memoryview(message)
    while rest:
        rest = rest[os.write(out, rest) :]


def main() -> None:
    """Greet, then answer requests until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the asking process decides
    out = sys.stdout.fileno()
    library = ctypes.CDLL(sys.argv[1])
    rate_hz = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, _DATA_PARENT, _INITIALIZE_DONT_EXIT)
    _write(out, struct.pack("<i", rate_hz))
    if rate_hz > 0:
        for line in sys.stdin:
            _answer(library, json.loads(line), out)


if __name__ == "__main__":
    main()
