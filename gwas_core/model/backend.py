"""Bringing in Keras on TensorFlow, late and quietly."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


def import_tensorflow() -> None:
    """Only import it, and Keras: no device is looked for and no thread started, so that the process may be forked."""
    if "keras" in sys.modules:
        return
    # 3 leaves TensorFlow's errors that matter: those come as Python exceptions.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _held_back_stderr():
        import keras  # noqa: F401
        import tensorflow  # noqa: F401


def import_keras() -> Any:
    """Keras on TensorFlow; the first call takes seconds."""
    import_tensorflow()
    _find_devices()
    import keras

    return keras


@cache
def _find_devices() -> None:
    """Once: it prints."""
    import tensorflow as tf

    with _held_back_stderr():
        tf.config.get_visible_devices()


def has_accelerator() -> bool:
    """Whether networks are trained on something other than the CPU."""
    import_keras()
    import tensorflow as tf

    return any(device.device_type != "CPU" for device in tf.config.get_visible_devices())


@contextmanager
def _held_back_stderr() -> Iterator[None]:
    """Keep what is written to stderr, by C++ code too, and show it only if an error follows.

    TensorFlow greets with a dozen lines before its own log level is read: no setting stops them.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.lseek(held.fileno(), 0, os.SEEK_SET)
            os.write(stderr, os.read(held.fileno(), 100_000))
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
